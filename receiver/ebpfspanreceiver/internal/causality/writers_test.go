package causality

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

const poller = 99

// workers plays requests on a shared connection that the poller reads and others work on, until
// that is known.
func workers(t *testing.T) *world {
	return workedBy(t, func(n uint32) capture.Task { return onThread(1 + n%4) })
}

func workedBy(t *testing.T, by func(n uint32) capture.Task) *world {
	w := newWorld(t)
	for n := range uint32(2 * enoughRows) {
		w.serves(by(n))
	}
	return w
}

// tasks plays that until it is known that tasks work, in the loop's thread.
func tasks(t *testing.T) *world {
	return workedBy(t, func(n uint32) capture.Task { return onTask(0x1000 + uint64(n)) })
}

// serves plays one request with one call, by one task.
func (w *world) serves(by capture.Task) (r, k *protocol.Exchange) {
	r = w.readsStream(onThread(poller))
	k = w.calls(by)
	w.completes(k, onThread(poller))
	w.responds(r, by)
	return r, k
}

func onTask(id uint64) capture.Task { return capture.Task{PID: 1, TID: 1, Coroutine: id} }

func TestCallIsOfWhatItsThreadAnswersNext(t *testing.T) {
	for name, c := range map[string]struct {
		world  *world
		by     [2]capture.Task
		method Method
	}{
		"threads": {workers(t), [2]capture.Task{onThread(1), onThread(2)}, MethodHandoff},
		"tasks":   {tasks(t), [2]capture.Task{onTask(0x7f10), onTask(0x7f20)}, MethodTask},
	} {
		t.Run(name, func(t *testing.T) {
			w := c.world
			r1, r2 := w.readsStream(onThread(poller)), w.readsStream(onThread(poller))
			k2, k1 := w.calls(c.by[1]), w.calls(c.by[0])
			w.completes(k2, c.by[0]) // whoever waits reads
			w.completes(k1, onThread(poller))
			w.responds(r2, c.by[1])
			w.responds(r1, c.by[0])
			w.linked(k1, r1, c.method)
			w.linked(k2, r2, c.method)
			assert.InDelta(t, writersConfidence, w.links[k1].Confidence, 0)
		})
	}
}

// A thread that waits for an answer writes for others, which goes on for them.
func TestWhoWaitsCallsForOthers(t *testing.T) {
	t.Run("after its own call", func(t *testing.T) {
		w := workers(t)
		r1, r2 := w.readsStream(onThread(poller)), w.readsStream(onThread(poller))
		k1, k2 := w.calls(onThread(1)), w.calls(onThread(1))
		w.completes(k2, onThread(poller))
		w.completes(k1, onThread(poller))
		w.responds(r2, onThread(2))
		w.responds(r1, onThread(1))
		w.linked(k1, r1, MethodHandoff)
		w.linked(k2, nil, "")
	})
	t.Run("another one wrote its own", func(t *testing.T) {
		w := workers(t)
		r2 := w.readsStream(onThread(1)) // it waits
		r1 := w.readsStream(onThread(poller))
		k2 := w.calls(onThread(1))
		w.completes(k2, onThread(poller))
		w.responds(r1, onThread(1))
		w.responds(r2, onThread(2))
		w.linked(k2, nil, "")
	})
	t.Run("another one answered for it, and called", func(t *testing.T) {
		w := workers(t)
		r1, r2 := w.readsStream(onThread(poller)), w.readsStream(onThread(poller))
		k1 := w.calls(onThread(1))
		w.completes(k1, onThread(poller))
		w.responds(r1, onThread(2))
		k2 := w.calls(onThread(3))
		w.completes(k2, onThread(1)) // it waits again
		w.responds(r2, onThread(1))
		w.linked(k1, nil, "")
	})
	t.Run("another one answered for it, and called, and it was woken", func(t *testing.T) {
		w := workers(t)
		const own = 0x7f2214160b40
		var last *protocol.Exchange
		for range 2 * ownEvidence {
			r := w.readsStream(onThread(poller))
			last = w.calls(onThread(1))
			w.completes(last, onThread(poller))
			w.wakes(onThread(poller), onThread(1), own)
			w.responds(r, onThread(1))
			w.linked(last, r, MethodHandoff)
		}
		r1, r2 := w.readsStream(onThread(poller)), w.readsStream(onThread(poller))
		k1 := w.calls(onThread(1))
		w.completes(k1, onThread(poller))
		w.wakes(onThread(poller), onThread(1), own)
		w.responds(r1, onThread(2))
		k2 := w.calls(onThread(3))
		for range maxLate {
			w.serves(onThread(4))
		}
		w.completes(k2, onThread(poller))
		w.wakes(onThread(poller), onThread(1), own)
		w.responds(r2, onThread(1))
		w.linked(k1, r1, MethodHandoff) // by the order
	})
	t.Run("another one answered for it", func(t *testing.T) {
		w := workers(t)
		r1 := w.readsStream(onThread(poller))
		k1 := w.calls(onThread(1))
		w.completes(k1, onThread(poller))
		w.responds(r1, onThread(poller))
		r2 := w.readsStream(onThread(poller))
		k2 := w.calls(onThread(1))
		w.completes(k2, onThread(poller))
		w.responds(r2, onThread(1))
		w.linked(k1, nil, "")
		w.linked(k2, r2, MethodHandoff)
	})
}

// The library's own threads write for all. They never hold the interpreter's lock.
func TestWhoNeverHoldsTheLockWorksForOthers(t *testing.T) {
	w := workers(t)
	const lock = 0x10c8
	for range 4 * lockEvidence {
		for n := range uint32(4) {
			w.wakes(onThread(1+n), onThread(1+(n+1)%4), lock)
		}
	}
	_, k := w.serves(onThread(7))
	r2, k2 := w.serves(onThread(2))
	w.linked(k, nil, "")
	w.linked(k2, r2, MethodHandoff)
}

func TestRowsOfSeveralCalls(t *testing.T) {
	w := newWorld(t)
	var links []*protocol.Exchange
	var last *protocol.Exchange
	for n := range uint32(2 * enoughRows) {
		by := onThread(1 + n%4)
		last, links = w.readsStream(onThread(poller)), nil
		for range 3 {
			k := w.calls(by)
			w.completes(k, onThread(poller))
			links = append(links, k)
		}
		w.responds(last, by)
	}
	for _, k := range links {
		w.linked(k, last, MethodHandoff)
		assert.InDelta(t, writersConfidence, w.links[k].Confidence, 0)
	}
}

func TestWhatItsThreadAnswersMayNotBeItsRequest(t *testing.T) {
	w := workers(t)
	early := w.calls(onThread(1))
	w.completes(early, onThread(poller))
	w.linked(early, nil, "")
	open := w.readsStream(onThread(poller))
	before := w.calls(onThread(1)) // nothing that was read since
	w.completes(before, onThread(poller))
	unanswered := w.calls(onThread(2))
	r := w.readsStream(onThread(poller))
	w.responds(r, onThread(1))
	w.responds(open, onThread(2))
	w.completes(unanswered, onThread(poller))
	w.linked(before, nil, "")
	w.linked(unanswered, nil, "")
}

// Who reads works, where it answers: an event loop.
func TestWhoAnswersWhatItReadsIsNoPoller(t *testing.T) {
	w := newWorld(t)
	for range 3 * enoughElsewhere {
		r := w.readsStream(onThread(1))
		k := w.calls(onThread(1))
		w.completes(k, onThread(1))
		w.responds(r, onThread(1))
		w.linked(k, r, MethodThread)
	}
}

func TestCallsOfThreadsThatNeverAnswerAreNobodys(t *testing.T) {
	w := workers(t)
	r := w.readsStream(onThread(poller))
	var calls []*protocol.Exchange
	for range maxRow + 2 {
		k := w.calls(onThread(8))
		w.completes(k, onThread(poller))
		calls = append(calls, k)
	}
	w.waits(calls[0])
	w.responds(r, onThread(1))
	for _, k := range calls {
		w.linked(k, nil, "")
	}
	w.now += idleThread
	w.ladder.Tick(w.now)
	w.ladder.Tick(w.now + idleThread)
	assert.Empty(t, w.ladder.processes[1].writers.all)
}
