//go:build !linux

package capture

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/thin"
)

// Kernel exists on Linux only.
type Kernel struct{}

// NewKernel always fails with a *MissingError here.
func NewKernel(KernelOptions) (*Kernel, error) {
	return nil, &MissingError{
		What: "a Linux kernel (this is " + runtime.GOOS + ")",
		Cure: "run the receiver on Linux, or set replay to a recording",
	}
}

// Run implements Source.
func (*Kernel) Run(context.Context, func(*Event)) error { return nil }

// Close implements Source.
func (*Kernel) Close() error { return nil }

// Trace does nothing.
func (*Kernel) Trace(uint32, *GoRuntime) error { return nil }

// Ignore does nothing.
func (*Kernel) Ignore(uint32) error { return nil }

// Forget does nothing.
func (*Kernel) Forget(uint32) {}

// RunTime measures nothing.
func (*Kernel) RunTime(time.Duration) (float64, error) { return 0, nil }

// Pressure returns 0.
func (*Kernel) Pressure() float64 { return 0 }

// Thin does nothing.
func (*Kernel) Thin(sampling.Threshold, bool) error { return nil }

// WatchWakes has nothing to watch.
func (*Kernel) WatchWakes(uint32, bool) error { return errors.ErrUnsupported }

// ReadCoroutines reads nothing.
func (*Kernel) ReadCoroutines(uint32, *AsyncioRuntime) error { return errors.ErrUnsupported }

// Mark does nothing.
func (*Kernel) Mark(uint64, thin.Role) error { return nil }

// ThinnedRequests returns 0.
func (*Kernel) ThinnedRequests() int64 { return 0 }

// CutConnections returns 0.
func (*Kernel) CutConnections() int64 { return 0 }
