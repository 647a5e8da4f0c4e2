package ebpfspanreceiver

import (
	"errors"

	"go.uber.org/zap"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
)

// wakeWanter says of which processes wake-ups are wanted now.
type wakeWanter interface {
	WantsWakes() map[uint32]bool
}

// watching keeps the kernel side's watch over wake-ups what causality wants it to be. It
// belongs to the pipeline's goroutine. nil watches nothing: a replay has what it has.
type watching struct {
	watcher capture.Watcher
	wanter  wakeWanter
	logger  *zap.Logger
	// states are those of the processes that were asked for, or whose parents were.
	states map[uint32]watchState
}

type watchState uint8

const (
	// inherited: forked from a process that is watched, so some of its wake-ups may come.
	inherited watchState = iota
	watched
	// refused: there is no use in asking again before it runs another program.
	refused
)

func newWatching(watcher capture.Watcher, wanter wakeWanter, logger *zap.Logger) *watching {
	return &watching{watcher: watcher, wanter: wanter, logger: logger, states: make(map[uint32]watchState)}
}

// event follows what the kernel side does by itself: a child is watched as its parent is,
// and a process that was decided about anew is not.
func (w *watching) event(e *capture.Event) {
	if w == nil || len(w.states) == 0 {
		return
	}
	switch e.Kind {
	case capture.Fork:
		if s, ok := w.states[e.Task.PID]; ok && s != refused {
			w.states[e.Child] = inherited
		}
	case capture.Exec, capture.Exit, capture.ProcessFound:
		delete(w.states, e.Task.PID)
	}
}

// tick begins and ends watches.
func (w *watching) tick() {
	if w == nil {
		return
	}
	wanted := w.wanter.WantsWakes()
	for pid, wants := range wanted {
		if s, ok := w.states[pid]; wants && (!ok || s == inherited) {
			w.states[pid] = w.begin(pid)
		}
	}
	for pid, s := range w.states {
		if wanted[pid] || s == refused {
			continue
		}
		delete(w.states, pid)
		if err := w.watcher.WatchWakes(pid, false); err != nil {
			w.logger.Warn("Could not end the watch over a process's wake-ups.", zap.Uint32("pid", pid), zap.Error(err))
		}
	}
}

func (w *watching) begin(pid uint32) watchState {
	err := w.watcher.WatchWakes(pid, true)
	if err == nil {
		return watched
	}
	// What is lacking was said when that was found.
	level := zap.WarnLevel
	if errors.Is(err, errors.ErrUnsupported) {
		level = zap.DebugLevel
	}
	w.logger.Log(level, "A process's wake-ups cannot be watched; some of its calls may stay unlinked.",
		zap.Uint32("pid", pid), zap.Error(err))
	return refused
}
