package main

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/rlimit"

	"github.com/seqlink/seqlink/bpf"
	"github.com/seqlink/seqlink/test/kernels/report"
)

// loadAll loads every program by itself and reports the verifier's verdict.
func loadAll() (all []report.Program, err error) {
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, err
	}
	for _, object := range []struct {
		name string
		load func() (*ebpf.CollectionSpec, error)
	}{{"tcp", bpf.LoadTCP}, {"fentry", bpf.LoadFentry}, {"kprobe", bpf.LoadKprobe}, {"process", bpf.LoadProcess}, {"gohttp", bpf.LoadGoHTTP}} {
		spec, err := object.load()
		if err != nil {
			all = append(all, report.Program{Object: object.name, Refusal: err.Error()})
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(spec.Programs)) {
			p := report.Program{Object: object.name, Name: name, Section: spec.Programs[name].SectionName}
			p.Processed, err = loadOne(spec.Copy(), name)
			if errors.Is(err, btf.ErrNotFound) {
				p.Absent = true
			} else if err != nil {
				p.Refusal = err.Error()
			}
			all = append(all, p)
		}
	}
	return all, nil
}

// processed is how the verifier counts: kernel/bpf/verifier.c, print_verification_stats.
var processed = regexp.MustCompile(`processed (\d+) insns`)

// loadOne loads one program of spec and returns how many instructions the verifier
// went through.
func loadOne(spec *ebpf.CollectionSpec, name string) (int, error) {
	for other := range spec.Programs {
		if other != name {
			delete(spec.Programs, other)
		}
	}
	c, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Programs: ebpf.ProgramOptions{LogLevel: ebpf.LogLevelStats}})
	if err != nil {
		return 0, err
	}
	defer c.Close()
	found := processed.FindStringSubmatch(c.Programs[name].VerifierLog)
	if found == nil {
		return 0, errors.New("loaded, but the verifier tells no figures")
	}
	return strconv.Atoi(found[1])
}
