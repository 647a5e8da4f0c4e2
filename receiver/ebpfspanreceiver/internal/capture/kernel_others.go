//go:build !linux

package capture

import (
	"context"
	"runtime"
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
