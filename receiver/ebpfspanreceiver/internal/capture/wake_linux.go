package capture

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"go.uber.org/zap"

	"github.com/seqlink/seqlink/bpf"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

var _ Watcher = (*Kernel)(nil)

// schedWaking is the program's name in the object wake.
const schedWaking = "sched_waking"

// wakePrograms are the programs that see wake-ups. Nothing but that evidence is missing
// without them.
type wakePrograms struct {
	// threads belongs to the tracepoint sched_waking, which fires for each wake-up on the
	// host; nil where the kernel does not have it.
	threads *ebpf.Program
	// goroutines is for runtime.ready; its perf is nil where it could not be loaded.
	goroutines uprobe
}

func (p *programs) loadWakes(options KernelOptions) {
	if err := p.tryWakes(options); err != nil {
		options.Logger.Warn("Wake-ups cannot be watched here; calls that only they would decide stay unlinked.", zap.Error(err))
	}
}

func (p *programs) tryWakes(options KernelOptions) error {
	spec, err := bpf.LoadWake()
	if err != nil {
		return fmt.Errorf("read the BPF object wake: %w", err)
	}
	if err := configure(spec, options, p.types, 1); err != nil {
		return fmt.Errorf("configure the BPF object wake: %w", err)
	}
	var threads, goroutines error
	if p.wakes.threads, threads = p.loadProgram(only(spec, schedWaking), schedWaking); threads != nil {
		threads = explainLoad(schedWaking, threads)
	}
	if p.wakes.goroutines, goroutines = p.loadUprobe(only(spec, ready), ready); goroutines != nil {
		goroutines = explainLoad(ready, goroutines)
	}
	return errors.Join(threads, goroutines)
}

// wakeWatch is whose wake-ups are asked for.
type wakeWatch struct {
	// ready is where the Go programs that are traced have runtime.ready, 0 where that is
	// not known.
	ready map[uint32]uint64
	// goroutines keeps the probe of each Go process that is asked for, threads names the
	// other processes.
	goroutines map[uint32]link.Link
	threads    map[uint32]struct{}
	// tracepoint is attached while there are such.
	tracepoint link.Link
}

func newWakeWatch() wakeWatch {
	return wakeWatch{
		ready:      make(map[uint32]uint64),
		goroutines: make(map[uint32]link.Link),
		threads:    make(map[uint32]struct{}),
	}
}

func (w *wakeWatch) close() error {
	var errs []error
	for pid, l := range w.goroutines {
		errs = append(errs, l.Close())
		delete(w.goroutines, pid)
	}
	clear(w.threads)
	return errors.Join(append(errs, w.detach())...)
}

func (w *wakeWatch) detach() error {
	l := w.tracepoint
	if l == nil {
		return nil
	}
	w.tracepoint = nil
	return l.Close()
}

// WatchWakes implements Watcher. It may be called where Trace may.
func (k *Kernel) WatchWakes(pid uint32, on bool) error {
	if !on {
		k.unwatch(pid)
	}
	var p bpf.TCPProcess
	err := k.programs.processes.Lookup(pid, &p)
	if errors.Is(err, ebpf.ErrKeyNotExist) && (!k.options.All || !on) {
		return nil // it has ended, or is not traced any more
	}
	if errors.Is(err, ebpf.ErrKeyNotExist) {
		p.Flags, err = processTraced, nil
	}
	if err != nil {
		return fmt.Errorf("look up process %d in the kernel: %w", pid, err)
	}
	p.Flags &^= processWakes
	if on {
		if err := k.watch(pid, p.Flags&processGo != 0); err != nil {
			return err
		}
		p.Flags |= processWakes
	}
	return k.put(pid, p)
}

// watch attaches what sees a process's wake-ups.
func (k *Kernel) watch(pid uint32, isGo bool) error {
	if isGo {
		return k.watchGoroutines(pid)
	}
	w := &k.wakes
	if k.programs.wakes.threads == nil {
		return fmt.Errorf("watch the wake-ups of threads: %w", errors.ErrUnsupported)
	}
	if w.tracepoint == nil {
		l, err := attachSection("tp_btf/"+schedWaking, k.programs.wakes.threads)
		if err != nil {
			k.programs.wakes.threads = nil
			return explainAttach("tp_btf/"+schedWaking, err)
		}
		w.tracepoint = l
	}
	w.threads[pid] = struct{}{}
	return nil
}

func (k *Kernel) watchGoroutines(pid uint32) error {
	w := &k.wakes
	if w.goroutines[pid] != nil {
		return nil
	}
	if k.programs.wakes.goroutines.perf == nil || w.ready[pid] == 0 {
		return fmt.Errorf("watch the wake-ups of goroutines: %w", errors.ErrUnsupported)
	}
	l, err := k.programs.wakes.goroutines.attach(pid, w.ready[pid])
	if errors.Is(err, os.ErrNotExist) {
		return nil // the process ended
	}
	if err != nil {
		k.options.Losses.Add(loss.ProbeFailed, 1)
		return fmt.Errorf("probe runtime.ready: %w", err)
	}
	w.goroutines[pid] = l
	return nil
}

// unwatch detaches what nobody needs without a process. Its entry is the caller's.
func (k *Kernel) unwatch(pid uint32) {
	w := &k.wakes
	var err error
	if l := w.goroutines[pid]; l != nil {
		delete(w.goroutines, pid)
		err = l.Close()
	}
	delete(w.threads, pid)
	if len(w.threads) == 0 {
		err = errors.Join(err, w.detach())
	}
	if err != nil {
		k.options.Logger.Debug("Could not detach a probe.", zap.Uint32("pid", pid), zap.Error(err))
	}
}
