package capture

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// uprobe is a program for one function of executables, loaded twice: for perf events,
// which some kernels refuse to anybody without CAP_SYS_ADMIN, and for uprobe_multi links
// (Linux 6.6), which need no more than CAP_BPF and CAP_PERFMON.
type uprobe struct {
	perf *ebpf.Program
	// multi is nil where the kernel has no such links.
	multi *ebpf.Program
}

// roundTrip is the program's name in the object gohttp, ready is that in the object wake.
const (
	roundTrip = "round_trip"
	ready     = "ready"
)

// streamPrograms are the programs' names in the object gostreams.
var streamPrograms = [StreamLibraries]string{
	GRPCClient: "grpc_ask", GRPCServer: "grpc_take", HTTP2Server: "http2_take", XNetServer: "xnet_take",
}

// loadUprobe loads the one program of a specification.
func (p *programs) loadUprobe(single *ebpf.CollectionSpec, name string) (u uprobe, err error) {
	multi := single.Copy()
	multi.Programs[name].AttachType = ebpf.AttachTraceUprobeMulti
	if program, err := p.loadProgram(multi, name); err == nil {
		u.multi = program
	}
	u.perf, err = p.loadProgram(single, name)
	return u, err
}

// attach probes one process at an offset of its executable file. The uprobe_multi link
// comes second: until Linux 6.10 its filter by process let only one thread through
// (kernel/trace/bpf_trace.c, uprobe_multi_link_filter).
func (u uprobe) attach(pid uint32, offset uint64) (link.Link, error) {
	path := fmt.Sprintf("/proc/%d/exe", pid)
	executable, err := link.OpenExecutable(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	l, err := executable.Uprobe("", u.perf, &link.UprobeOptions{Address: offset, PID: int(pid)})
	if err == nil || u.multi == nil || !errors.Is(err, fs.ErrPermission) {
		return l, err
	}
	multi, multiErr := executable.UprobeMulti(nil, u.multi, &link.UprobeMultiOptions{
		Addresses: []uint64{offset}, PID: pid,
	})
	if multiErr != nil {
		return nil, errors.Join(err, multiErr)
	}
	return multi, nil
}
