package capture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/seqlink/seqlink/bpf"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

const (
	// maxDrain bounds the events between two looks at the clock, the losses and the
	// context.
	maxDrain = 4096
	// releaseEvery is how many events are handled before their room in the ring
	// buffer is given back.
	releaseEvery = 32
	// idleInterval is the time between two calls of the handler without an event.
	idleInterval = 10 * time.Millisecond
	// busyInterval is that while events come faster than they are handled.
	busyInterval = time.Second
	// lossInterval is the time between two looks at what the programs lost.
	lossInterval = 500 * time.Millisecond
)

// The flags of struct process in bpf/include/process.h.
const (
	processTraced = 1 << iota
	processNever
	processGo
	processWakes
	processAsyncio
	processOldDicts
)

// kernelLosses are the loss reasons in the order of enum loss in bpf/include/loss.h.
var kernelLosses = []loss.Reason{
	loss.RingBufferFull,
	loss.ThreadTableFull,
	loss.PayloadUnreadable,
	loss.ProcessTableFull,
	loss.IOUringUnseen,
	loss.DatagramsUnseen,
}

// Kernel is the Source that watches this host with BPF programs. Its methods
// other than Run and Close may be called from Run's handler, or before Run.
type Kernel struct {
	options  KernelOptions
	programs *programs
	// probes keeps the uprobes of each process: a link that is not referenced is
	// collected, and its program detached.
	probes map[uint32][]link.Link
	wakes  wakeWatch
	ring   *ring
	clock  clock
	lost   []uint64
	// strategy is the one that was chosen.
	strategy string
	// missed is how often programs were left out, as of the time checked.
	missed  uint64
	checked time.Time
	// changes is how often the table of processes was changed here.
	changes uint64
	// thinning is what the programs were told last of what they leave out.
	thinning thinning
	// counted is when the losses were last looked at.
	counted time.Time
	// omissions are the last figures of the map of that name.
	omissions [omissions]atomic.Int64
	pressure  pressure
}

// Strategy returns the name of the strategy that was chosen.
func (k *Kernel) Strategy() string { return k.strategy }

// NewKernel loads and attaches the programs. No process but those that
// options.All covers is traced until Trace is called. Where the kernel or the
// privileges do not suffice the error is a *MissingError.
func NewKernel(options KernelOptions) (*Kernel, error) {
	p, err := loadPrograms(options)
	if err != nil {
		return nil, err
	}
	k := &Kernel{
		options:  options,
		programs: p,
		probes:   make(map[uint32][]link.Link),
		wakes:    newWakeWatch(),
		clock:    clock{monotonic: monotonic},
		lost:     make([]uint64, len(kernelLosses)),
	}
	if k.ring, err = openRing(p.events); err != nil {
		return nil, errors.Join(err, k.Close())
	}
	if err := k.put(uint32(os.Getpid()), bpf.TCPProcess{Flags: processNever}); err != nil {
		return nil, errors.Join(fmt.Errorf("exclude the collector itself: %w", err), k.Close())
	}
	if err := p.attach(); err != nil {
		return nil, errors.Join(err, k.Close())
	}
	if k.strategy, err = p.choose(options); err != nil {
		return nil, errors.Join(err, k.Close())
	}
	p.thinnings, p.marks, p.omissions = p.shared["thinnings"], p.shared["marks"], p.shared["omissions"]
	p.types = kernelTypes{} // some megabytes that nobody needs again
	return k, nil
}

func monotonic() int64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0
	}
	return t.Nano()
}

// Run implements Source.
func (k *Kernel) Run(ctx context.Context, handle func(*Event)) error {
	pace := newPacer(len(k.ring.data))
	var idle time.Time
	for ctx.Err() == nil {
		now := time.Now()
		k.upkeep(now)
		found, err := k.drain(handle)
		// Not before the buffer is empty: the time would run ahead of events that wait, by as long as this was
		// kept from running. Where it never is, what is due must be done all the same.
		if since := now.Sub(idle); since >= idleInterval && found < maxDrain || since >= busyInterval {
			idle = now
			handle(nil)
		}
		if err == nil && found < maxDrain {
			err = k.rest(pace.next(found))
		}
		if err != nil {
			return fmt.Errorf("read the ring buffer: %w", err)
		}
	}
	k.countLosses()
	k.countMisses(time.Now().Add(missInterval))
	return nil
}

// rest waits for events.
func (k *Kernel) rest(pause time.Duration) error {
	begin := time.Now()
	err := k.ring.wait(pause)
	k.pressure.rested(time.Since(begin), pause)
	return err
}

// upkeep does what is due now and then.
func (k *Kernel) upkeep(now time.Time) {
	k.clock.refresh(now)
	k.countMisses(now)
	if now.Sub(k.counted) >= lossInterval {
		k.counted = now
		k.countLosses()
	}
}

// drain hands over what is in the ring buffer, and returns how many events that were.
// Where events come faster than they are handled it never runs empty, so their number
// is bounded: the caller has other things to do.
func (k *Kernel) drain(handle func(*Event)) (found int, err error) {
	defer func() {
		k.ring.release()
		k.pressure.read.Add(int64(found))
	}()
	var event Event
	for found < maxDrain {
		record, err := k.ring.next()
		if record == nil || err != nil {
			return found, err
		}
		found++
		if decode(record, &event) != nil {
			k.options.Losses.Add(loss.EventMalformed, 1)
			continue
		}
		event.Time = k.clock.unix(event.Time)
		handle(&event)
		if found%releaseEvery == 0 {
			k.ring.release()
		}
	}
	return found, nil
}

// countLosses adds what the programs counted since the last call.
func (k *Kernel) countLosses() {
	perCPU := make([]uint64, ebpf.MustPossibleCPU())
	for i, reason := range kernelLosses {
		if err := k.programs.losses.Lookup(uint32(i), &perCPU); err != nil {
			continue
		}
		var total uint64
		for _, n := range perCPU {
			total += n
		}
		k.options.Losses.Add(reason, int64(total-k.lost[i]))
		if reason == loss.RingBufferFull {
			k.pressure.lost.Add(int64(total - k.lost[i]))
		}
		k.lost[i] = total
	}
}

// missInterval is the time between two looks at how often programs were left out.
const missInterval = time.Second

func (k *Kernel) countMisses(now time.Time) {
	if now.Sub(k.checked) < missInterval {
		return
	}
	k.checked = now
	if missed := k.programs.missed(); missed > k.missed {
		k.options.Losses.Add(loss.ProgramMissed, int64(missed-k.missed))
		k.missed = missed
	}
}

// Close detaches and frees everything.
func (k *Kernel) Close() error {
	var errs []error
	if k.ring != nil {
		errs = append(errs, k.ring.close())
	}
	for pid := range k.probes {
		k.unprobe(pid)
	}
	errs = append(errs, k.wakes.close())
	return errors.Join(append(errs, k.programs.Close())...)
}

// Trace selects a process. goRuntime is nil for programs that Go did not build.
func (k *Kernel) Trace(pid uint32, goRuntime *GoRuntime) error {
	k.release(pid)
	if k.options.TransfersOnly {
		goRuntime = nil
	}
	p := bpf.TCPProcess{Flags: processTraced}
	if goRuntime != nil {
		p.Flags |= processGo
		p.G_offset = goRuntime.GOffset
		p.GoidOffset = goRuntime.GoidOffset
		p.ParentOffset = goRuntime.ParentGoidOffset
		p.ConnOffset = goRuntime.ConnOffset
		p.M_offset, p.CurgOffset = goRuntime.MOffset, goRuntime.CurgOffset
		for i, s := range goRuntime.Streams {
			p.Streams[i].Conn, p.Streams[i].Via, p.Streams[i].Id = s.Conn, s.Via, s.ID
		}
		k.wakes.ready[pid] = goRuntime.Ready
	}
	if err := k.put(pid, p); err != nil {
		return err
	}
	k.adopt(pid)
	if goRuntime != nil {
		k.probeGo(pid, goRuntime)
	}
	return nil
}

// probeGo attaches to what the program of a process has of the functions that are probed.
func (k *Kernel) probeGo(pid uint32, g *GoRuntime) {
	if g.RoundTrip != 0 {
		k.probe(pid, k.programs.roundTrip, g.RoundTrip)
	}
	for i, s := range g.Streams {
		if s.Function != 0 {
			k.probe(pid, k.programs.streams[i], s.Function)
		}
	}
}

// Ignore says that a process is not traced, whatever its parent was.
func (k *Kernel) Ignore(pid uint32) error {
	k.release(pid)
	if k.options.All {
		return k.put(pid, bpf.TCPProcess{})
	}
	return k.remove(pid)
}

// Forget says that a process has ended.
func (k *Kernel) Forget(pid uint32) {
	k.release(pid)
	if err := k.remove(pid); err != nil {
		k.options.Logger.Debug("Could not forget a process.", zap.Uint32("pid", pid), zap.Error(err))
	}
}

// release gives up what watches a process beside its entry.
func (k *Kernel) release(pid uint32) {
	k.unprobe(pid)
	k.unwatch(pid)
	delete(k.wakes.ready, pid)
}

func (k *Kernel) put(pid uint32, p bpf.TCPProcess) error {
	if err := k.programs.processes.Put(pid, p); err != nil {
		k.options.Losses.Add(loss.ProcessTableFull, 1)
		return fmt.Errorf("select process %d in the kernel: %w", pid, err)
	}
	return k.processesChanged()
}

func (k *Kernel) remove(pid uint32) error {
	if err := k.programs.processes.Delete(pid); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("deselect process %d in the kernel: %w", pid, err)
	}
	return k.processesChanged()
}

// changesByReceiver is a place in the map process_changes: enum changes_by in
// bpf/include/process.h.
const changesByReceiver = 1

// processesChanged tells the programs that what they remember of the table of processes is
// old.
func (k *Kernel) processesChanged() error {
	k.changes++
	if err := k.programs.changes.Put(uint32(changesByReceiver), k.changes); err != nil {
		return fmt.Errorf("tell the kernel of a process: %w", err)
	}
	return nil
}

// probe attaches a probe to one process. Without it the process's calls on shared or
// pooled connections are linked by weaker evidence, so a failure is counted and
// logged but ends nothing.
func (k *Kernel) probe(pid uint32, u uprobe, offset uint64) {
	l, err := u.attach(pid, offset)
	if errors.Is(err, os.ErrNotExist) {
		return // the process ended
	}
	if err != nil {
		k.options.Losses.Add(loss.ProbeFailed, 1)
		k.options.Logger.Warn("Could not probe HTTP in a Go process; its calls may stay unlinked.",
			zap.Uint32("pid", pid), zap.Error(err))
		return
	}
	k.probes[pid] = append(k.probes[pid], l)
}

func (k *Kernel) unprobe(pid uint32) {
	for _, l := range k.probes[pid] {
		if err := l.Close(); err != nil {
			k.options.Logger.Debug("Could not detach a probe.", zap.Uint32("pid", pid), zap.Error(err))
		}
	}
	delete(k.probes, pid)
}
