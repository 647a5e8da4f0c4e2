package capture

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"

	"github.com/seqlink/seqlink/bpf"
)

var _ CoroutineReader = (*Kernel)(nil)

// ReadCoroutines implements CoroutineReader. It may be called where Trace may.
func (k *Kernel) ReadCoroutines(pid uint32, a *AsyncioRuntime) error {
	var p bpf.TCPProcess
	err := k.programs.processes.Lookup(pid, &p)
	switch {
	case errors.Is(err, ebpf.ErrKeyNotExist) && !k.options.All:
		return nil // it has ended, or is not traced any more
	case errors.Is(err, ebpf.ErrKeyNotExist):
		p.Flags = processTraced
	case err != nil:
		return fmt.Errorf("look up process %d in the kernel: %w", pid, err)
	}
	p.Flags = p.Flags&^processOldDicts | processAsyncio
	if a.OldDicts {
		p.Flags |= processOldDicts
	}
	p.CurrentTasks = a.CurrentTasks
	p.WakeupType, p.WakeupTaskOffset = a.WakeupType, a.WakeupTask
	p.FunctionType, p.TupleType, p.MethodType = a.FunctionType, a.TupleType, a.MethodType
	p.Attributes = a.Attributes
	p.ClosureOffset = a.ClosureOffset
	return k.put(pid, p)
}
