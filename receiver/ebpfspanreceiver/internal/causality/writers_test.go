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
	w := newWorld(t)
	for n := range uint32(2 * enoughRows) {
		w.serves(onThread(1 + n%4))
	}
	return w
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
	for name, by := range map[string][2]capture.Task{
		"threads": {onThread(1), onThread(2)},
		"tasks":   {onTask(0x7f10), onTask(0x7f20)},
	} {
		t.Run(name, func(t *testing.T) {
			w := workers(t)
			method := MethodHandoff
			if by[0].Coroutine != 0 {
				method = MethodTask
			}
			r1, r2 := w.readsStream(onThread(poller)), w.readsStream(by[1]) // whoever polls reads
			k2, k1 := w.calls(by[1]), w.calls(by[0])
			w.completes(k1, by[1])
			w.completes(k2, by[0])
			w.responds(r2, by[1])
			w.responds(r1, by[0])
			w.linked(k1, r1, method)
			w.linked(k2, r2, method)
			assert.InDelta(t, writersConfidence, w.links[k1].Confidence, 0)
		})
	}
}

// A thread that writes for another one makes rows of another length.
func TestRowsOfAnotherLengthAreDoubted(t *testing.T) {
	t.Run("a response too many", func(t *testing.T) {
		w := workers(t)
		r1, r2 := w.readsStream(onThread(poller)), w.readsStream(onThread(poller))
		k := w.calls(onThread(1))
		w.completes(k, onThread(poller))
		w.responds(r1, onThread(1))
		w.responds(r2, onThread(1))
		w.linked(k, r1, MethodHandoff)
		assert.InDelta(t, writersDoubt, w.links[k].Confidence, 0)
	})
	t.Run("a call too many", func(t *testing.T) {
		w := workers(t)
		r := w.readsStream(onThread(poller))
		k1, k2 := w.calls(onThread(1)), w.calls(onThread(1))
		w.completes(k1, onThread(poller))
		w.completes(k2, onThread(poller))
		w.responds(r, onThread(1))
		w.linked(k1, nil, "")
		w.linked(k2, r, MethodHandoff)
		assert.InDelta(t, writersDoubt, w.links[k2].Confidence, 0)
	})
	t.Run("a thread that writes for others", func(t *testing.T) {
		w := workers(t)
		for range enoughRows {
			w.responds(w.readsStream(onThread(poller)), onThread(7))
			w.serves(onThread(2))
			w.serves(onThread(3))
		}
		r, k := w.serves(onThread(7))
		w.linked(k, r, MethodHandoff)
		assert.InDelta(t, writersDoubt, w.links[k].Confidence, 0)
	})
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
	for range maxWritten + 2 {
		k := w.calls(onThread(8))
		w.completes(k, onThread(poller))
		calls = append(calls, k)
	}
	w.linked(calls[0], nil, "")
	w.responds(r, onThread(1))
	w.linked(calls[maxWritten], nil, "")
	w.now += idleThread
	w.ladder.Tick(w.now)
	w.ladder.Tick(w.now + idleThread)
	assert.Empty(t, w.ladder.processes[1].writers.all)
}
