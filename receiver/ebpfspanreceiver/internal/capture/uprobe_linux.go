package capture

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// loadUprobes loads the round-trip program twice: for uprobe_multi links (Linux
// 6.6), which need no more than CAP_BPF and CAP_PERFMON, and for perf events, which
// some kernels refuse to anybody without CAP_SYS_ADMIN.
func (p *programs) loadUprobes(spec *ebpf.CollectionSpec, replacements map[string]*ebpf.Map) error {
	multi := spec.Copy()
	multi.Programs[roundTrip].AttachType = ebpf.AttachTraceUprobeMulti
	options := ebpf.CollectionOptions{MapReplacements: replacements, Cache: p.types.cache}
	if c, err := ebpf.NewCollectionWithOptions(multi, options); err == nil {
		p.collections = append(p.collections, c)
		p.roundTripMulti = c.Programs[roundTrip]
	}
	c, err := ebpf.NewCollectionWithOptions(spec, options)
	if err != nil {
		return err
	}
	p.collections = append(p.collections, c)
	p.roundTrip = c.Programs[roundTrip]
	return nil
}

// roundTrip is the program's name in the object gohttp.
const roundTrip = "round_trip"

// attachUprobe probes one process at an offset of its executable file. The
// uprobe_multi link comes second: until Linux 6.10 its filter by process let only
// one thread through (kernel/trace/bpf_trace.c, uprobe_multi_link_filter).
func (p *programs) attachUprobe(path string, pid uint32, offset uint64) (link.Link, error) {
	executable, err := link.OpenExecutable(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	l, err := executable.Uprobe("", p.roundTrip, &link.UprobeOptions{Address: offset, PID: int(pid)})
	if err == nil || p.roundTripMulti == nil || !errors.Is(err, fs.ErrPermission) {
		return l, err
	}
	multi, multiErr := executable.UprobeMulti(nil, p.roundTripMulti, &link.UprobeMultiOptions{
		Addresses: []uint64{offset}, PID: pid,
	})
	if multiErr != nil {
		return nil, errors.Join(err, multiErr)
	}
	return multi, nil
}
