package main

import (
	"errors"
	"fmt"
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
	types := btf.NewCache() // reading the kernel's types takes longest
	for _, object := range []struct {
		name string
		load func() (*ebpf.CollectionSpec, error)
	}{{"tcp", bpf.LoadTCP}, {"fentry", bpf.LoadFentry}, {"kprobe", bpf.LoadKprobe}, {"process", bpf.LoadProcess}, {"gohttp", bpf.LoadGoHTTP}, {"gostreams", bpf.LoadGoStreams}, {"wake", bpf.LoadWake}} {
		spec, err := object.load()
		if err != nil {
			all = append(all, report.Program{Object: object.name, Refusal: err.Error()})
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(spec.Programs)) {
			p := report.Program{Object: object.name, Name: name, Section: spec.Programs[name].SectionName}
			p.Processed, err = loadOne(spec.Copy(), name, types)
			if errors.Is(err, btf.ErrNotFound) || errors.Is(err, ebpf.ErrNotSupported) {
				p.Absent = true
			} else if err != nil {
				p.Refusal = err.Error()
				say(name + ": " + p.Refusal)
				sayLog(err)
			}
			all = append(all, p)
		}
	}
	return all, nil
}

// sayLog says all that the verifier said.
func sayLog(err error) {
	var refused *ebpf.VerifierError
	if errors.As(err, &refused) {
		say(fmt.Sprintf("%+v", refused))
	}
}

// processed is how the verifier counts: kernel/bpf/verifier.c, print_verification_stats.
var processed = regexp.MustCompile(`processed (\d+) insns`)

// loadOne loads one program of spec and returns how many instructions the verifier
// went through.
func loadOne(spec *ebpf.CollectionSpec, name string, types *btf.Cache) (int, error) {
	for other := range spec.Programs {
		if other != name {
			delete(spec.Programs, other)
		}
	}
	if m := spec.Maps["processes"]; m != nil {
		m.Flags = 0 // kernels before 6.1 would warn
	}
	if m := spec.Maps["events"]; m != nil {
		m.MaxEntries = 64 << 10
	}
	for _, m := range spec.Maps { // the verifier does not look at sizes, and memory is slow
		if m.Type == ebpf.Hash || m.Type == ebpf.LRUHash {
			m.MaxEntries = 1024
		}
	}
	if v := spec.Variables["recvmsg_arguments"]; v != nil {
		if err := v.Set(parameters(types, "tcp_recvmsg")); err != nil {
			return 0, err
		}
	}
	c, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{
		Programs: ebpf.ProgramOptions{LogLevel: ebpf.LogLevelStats}, Cache: types,
	})
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

// parameters returns how many a function of the kernel has, as the receiver's loader does.
func parameters(types *btf.Cache, name string) uint32 {
	var function *btf.Func
	spec, err := types.Kernel()
	if err != nil || spec.TypeByName(name, &function) != nil {
		return 0
	}
	proto, ok := function.Type.(*btf.FuncProto)
	if !ok {
		return 0
	}
	return uint32(len(proto.Params))
}
