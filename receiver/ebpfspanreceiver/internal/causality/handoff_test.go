package causality

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// wakes plays one task making another one ready to run.
func (w *world) wakes(from, to capture.Task, futex uint64) {
	w.ladder.Wake(conn.Wake{Waker: w.at(from), Woken: to, Futex: futex})
}

func TestWorkerWakesWhoAnswers(t *testing.T) {
	for name, task := range map[string]func(id uint64) capture.Task{
		"threads":    func(id uint64) capture.Task { return onThread(uint32(id)) },
		"goroutines": func(id uint64) capture.Task { return onGoroutine(id, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			h1, h2, w1, w2 := task(1), task(2), task(11), task(12)
			r1, r2 := w.reads(h1), w.reads(h2)
			w.wakes(h1, w2, 102)
			k1 := w.calls(w2)
			w.wakes(h2, w1, 101)
			k2 := w.calls(w1)
			w.completes(k1, w2)
			w.waits(k1)
			w.wakes(w2, h1, 1)
			w.completes(k2, w1)
			w.wakes(w1, h2, 2)
			w.responds(r1, h1)
			w.responds(r2, h2)
			w.linked(k1, r1, MethodHandoff)
			w.linked(k2, r2, MethodHandoff)
			assert.Positive(t, w.links[k1].Confidence)
		})
	}
}

// A chain of pools: the inner worker wakes the outer one, and that one who answers.
func TestAnswersGoThroughWorkers(t *testing.T) {
	w := newWorld(t)
	r := w.reads(onThread(1))
	k := w.calls(onThread(3))
	w.completes(k, onThread(3))
	w.wakes(onThread(3), onThread(2), 2)
	w.wakes(onThread(2), onThread(1), 1)
	w.responds(r, onThread(1))
	w.linked(k, r, MethodHandoff)
}

// A reactor reads, and the worker that calls answers.
func TestWorkerAnswersItself(t *testing.T) {
	w := newWorld(t)
	r1, r2 := w.reads(onThread(1)), w.reads(onThread(1))
	k2, k1 := w.calls(onThread(12)), w.calls(onThread(11))
	w.completes(k1, onThread(11))
	w.completes(k2, onThread(12))
	w.responds(r2, onThread(12))
	w.responds(r1, onThread(11))
	w.linked(k1, r1, MethodHandoff)
	w.linked(k2, r2, MethodHandoff)
}

// A lock that many threads take is no hand-off, however often it wakes who answers.
func TestLocksHandNothingOver(t *testing.T) {
	w := newWorld(t)
	const lock = 7
	for i := range uint32(100) {
		w.wakes(onThread(20+i%8), onThread(20+(i+1)%8), lock)
	}
	r1, r2 := w.reads(onThread(1)), w.reads(onThread(2))
	k := w.calls(onThread(20))
	w.completes(k, onThread(20))
	w.wakes(onThread(20), onThread(2), lock)
	w.wakes(onThread(20), onThread(1), 1)
	w.responds(r2, onThread(2))
	w.responds(r1, onThread(1))
	w.linked(k, r1, MethodHandoff)
}

func TestWakesAreWantedWhileCallsNeedThem(t *testing.T) {
	w := newWorld(t)
	r := w.reads(onThread(1))
	k := w.calls(onThread(1))
	w.completes(k, onThread(1))
	w.ladder.Tick(w.now)
	assert.Empty(t, w.ladder.WantsWakes())
	w.calls(onThread(2))
	w.ladder.Tick(w.now)
	assert.Equal(t, map[uint32]bool{1: true}, w.ladder.WantsWakes())
	w.responds(r, onThread(1))
	w.ladder.Tick(w.now + watchFor)
	assert.Empty(t, w.ladder.WantsWakes())
}

// What was made before the request was read is not its.
func TestEarlierCallsAreNotHandedOver(t *testing.T) {
	w := newWorld(t)
	old := w.reads(onThread(3))
	k := w.calls(onThread(2))
	w.completes(k, onThread(2))
	r := w.reads(onThread(1))
	w.wakes(onThread(2), onThread(1), 1)
	w.responds(r, onThread(1))
	w.responds(old, onThread(3))
	w.linked(k, (*protocol.Exchange)(nil), "")
}
