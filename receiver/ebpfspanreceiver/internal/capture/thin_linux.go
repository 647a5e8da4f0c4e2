package capture

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/thin"
)

var _ thin.Kernel = (*Kernel)(nil)

// The places in the map omissions: enum omission in bpf/include/thin.h.
const (
	omittedRequests = iota
	omittedConnections
	omissions
)

// thinning is struct thinning in bpf/include/thin.h.
type thinning struct {
	Threshold, Active, Marks uint64
}

// Thin implements thin.Kernel.
func (k *Kernel) Thin(threshold sampling.Threshold, active bool) error {
	k.thinning.Threshold, k.thinning.Active = threshold.Unsigned(), 0
	if active {
		k.thinning.Active = 1
	}
	return k.putThinning()
}

func (k *Kernel) putThinning() error {
	if err := k.programs.thinnings.Put(uint32(0), k.thinning); err != nil {
		return fmt.Errorf("tell the kernel side what to leave out: %w", err)
	}
	return nil
}

// Mark implements thin.Kernel. A mark is taken at one of the connection's next turns.
func (k *Kernel) Mark(socket uint64, role thin.Role) error {
	if err := k.programs.marks.Put(socket, uint8(role)); err != nil {
		return fmt.Errorf("tell the kernel side about a connection: %w", err)
	}
	k.thinning.Marks++ // programs look for marks where this has changed
	return k.putThinning()
}

// ThinnedRequests returns how many requests the programs have left out. It may be
// called from any goroutine.
func (k *Kernel) ThinnedRequests() int64 { return k.omitted(omittedRequests) }

// CutConnections returns of how many connections the programs have stopped to deliver
// anything. It may be called from any goroutine.
func (k *Kernel) CutConnections() int64 { return k.omitted(omittedConnections) }

func (k *Kernel) omitted(what uint32) (total int64) {
	perCPU := make([]uint64, ebpf.MustPossibleCPU())
	if k.programs.omissions.Lookup(what, &perCPU) != nil {
		return k.omissions[what].Load() // after Close
	}
	for _, n := range perCPU {
		total += int64(n)
	}
	k.omissions[what].Store(total)
	return total
}
