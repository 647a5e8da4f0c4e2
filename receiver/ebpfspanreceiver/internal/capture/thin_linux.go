package capture

import (
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/thin"
)

// Thin implements thin.Kernel.
func (k *Kernel) Thin(sampling.Threshold, bool) error { return nil }

// Mark implements thin.Kernel.
func (k *Kernel) Mark(uint64, thin.Role) error { return nil }

// ThinnedRequests returns how many requests the programs left out.
func (k *Kernel) ThinnedRequests() int64 { return 0 }

// CutConnections returns how many connections the programs deliver nothing of any more.
func (k *Kernel) CutConnections() int64 { return 0 }
