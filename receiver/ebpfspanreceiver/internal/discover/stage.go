package discover

import (
	"time"

	"go.uber.org/zap"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/discover/goexe"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/discover/runtimes"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

const (
	// executables is how many executable files are remembered.
	executables = 512
	// scanRounds bounds the scan where processes come faster than they are read.
	// Those it leaves are looked up at their first event.
	scanRounds = 4
	// minimumProcesses is how many processes are remembered before those that
	// ended unseen are looked for.
	minimumProcesses = 1024
)

// Filter tells the source of events which processes to watch. A child inherits
// its parent's verdict in the kernel, at fork. The filter itself counts what it
// loses.
type Filter interface {
	// Trace watches a process. goRuntime is nil where goroutines cannot be told
	// apart: the program is not Go's, or its layout is not known.
	Trace(pid uint32, goRuntime *capture.GoRuntime) error
	// Ignore says that a process is not watched, whatever its parent was.
	Ignore(pid uint32) error
	// Forget says that a process has ended.
	Forget(pid uint32)
}

// Options configure a Stage.
type Options struct {
	Selection Selection
	Proc      Proc
	Filter    Filter
	// Pods is asked where the selection needs pods, else nil.
	Pods   Pods
	Losses *loss.Counts
	Logger *zap.Logger
}

// Stage keeps the filter and the facts up to date while processes come and go. It
// belongs to the goroutine that delivers the events.
type Stage struct {
	selection Selection
	proc      Proc
	filter    Filter
	pods      Pods
	programs  *goexe.Cache
	runtimes  *runtimes.Cache
	losses    *loss.Counts
	logger    *zap.Logger

	known map[uint32]known
	// sweepAt is the number of known processes at which the next sweep is due.
	sweepAt int
	// hidden is true after the lack of privilege was reported.
	hidden bool
	now    func() time.Time
}

// NewStage returns a stage that knows no process yet.
func NewStage(o Options) (*Stage, error) {
	programs, err := goexe.NewCache(executables)
	if err != nil {
		return nil, err
	}
	versions, err := runtimes.NewCache(executables)
	if err != nil {
		return nil, err
	}
	return &Stage{
		selection: o.Selection,
		proc:      o.Proc,
		filter:    o.Filter,
		pods:      o.Pods,
		programs:  programs,
		runtimes:  versions,
		losses:    o.Losses,
		logger:    o.Logger,
		known:     make(map[uint32]known),
		sweepAt:   minimumProcesses,
		now:       time.Now,
	}, nil
}

// Scan decides about the processes that run already, and emits a ProcessFound for
// each that is traced. The filter must be in force by then, so that what forks
// meanwhile is either inherited or found.
func (s *Stage) Scan(emit func(*capture.Event)) error {
	// A process whose parent was not yet decided about when it forked is found by
	// the next round.
	for range scanRounds {
		pids, err := s.proc.Processes()
		if err != nil {
			return err
		}
		if s.scan(pids, emit) == 0 {
			return nil
		}
	}
	return nil
}

// scan decides about those of the processes that are new, and returns how many are traced.
func (s *Stage) scan(pids []uint32, emit func(*capture.Event)) int {
	var traced int
	look := s.listeners()
	for _, pid := range pids {
		if _, ok := s.known[pid]; ok {
			continue
		}
		if process := s.decide(pid, look); process != nil {
			traced++
			emit(found(process, s.now().UnixNano()))
		}
	}
	return traced
}

// Event passes an event on, after what must be known about its process. Events of
// processes that are not traced are withheld. A nil event is passed on.
func (s *Stage) Event(e *capture.Event, emit func(*capture.Event)) {
	if e == nil {
		s.podsChanged(emit)
	}
	if e == nil || e.Task.PID == 0 {
		emit(e)
		return
	}
	switch e.Kind {
	case capture.Fork:
		s.fork(e, emit)
	case capture.Exec:
		if !s.exec(e, emit) {
			return
		}
	case capture.Listen:
		s.listens(e, emit)
		return
	case capture.Exit:
		emit(e)
		s.forget(e.Task.PID)
		return
	default:
		if !s.traced(e, emit) {
			return
		}
	}
	emit(e)
}

// exec decides anew about a process, and reports whether it is traced. What it
// forked before the decision was in force did not inherit it, and is looked for.
// A traced process that becomes one that is not ends for the stages behind.
func (s *Stage) exec(e *capture.Event, emit func(*capture.Event)) bool {
	pid := e.Task.PID
	before := s.known[pid].process
	process := s.decide(pid, s.listeners())
	if _, decided := s.known[pid]; !decided && before != nil {
		process = s.successor(before)
	}
	return s.decided(pid, before, process, e.Time, emit)
}

// decided tells the stages behind of a decision, and reports whether the process is
// traced. What it forked meanwhile is looked for.
func (s *Stage) decided(pid uint32, before, now *capture.Process, at int64, emit func(*capture.Event)) bool {
	if now == nil {
		if before != nil {
			emit(&capture.Event{Kind: capture.Exit, Time: at, Task: capture.Task{PID: pid}})
		}
		return false
	}
	s.announce(now, at, emit)
	if pids, err := s.proc.Processes(); err == nil {
		s.scan(pids, emit)
	}
	return true
}

// fork gives the child its parent's facts: it runs the same program.
func (s *Stage) fork(e *capture.Event, emit func(*capture.Event)) {
	parent, ok := s.known[e.Task.PID]
	if !ok || e.Child == 0 {
		return
	}
	if parent.process == nil {
		s.remember(e.Child, known{pod: parent.pod})
		return
	}
	child := *parent.process
	child.PID = e.Child
	s.remember(e.Child, known{process: &child, pod: parent.pod})
	s.announce(&child, e.Time, emit)
}

// traced says whether the process of an event is traced. One that was never
// mentioned is looked up: its fork was lost, or it began before the filter.
func (s *Stage) traced(e *capture.Event, emit func(*capture.Event)) bool {
	pid := e.Task.PID
	k, ok := s.known[pid]
	if !ok {
		k.process = s.decide(pid, s.listeners())
		if _, decided := s.known[pid]; !decided {
			k.process = s.unknown(pid)
		}
		s.announce(k.process, e.Time, emit)
	}
	return k.process != nil
}

func (s *Stage) announce(process *capture.Process, at int64, emit func(*capture.Event)) {
	if process != nil {
		emit(found(process, at))
	}
}

func found(process *capture.Process, at int64) *capture.Event {
	return &capture.Event{
		Kind:    capture.ProcessFound,
		Time:    at,
		Task:    capture.Task{PID: process.PID},
		Process: process,
	}
}
