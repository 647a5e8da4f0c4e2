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

// A thread that works on what a reactor has read is not idle then: its calls are not what
// it would do without requests.
func TestWhoTakesRequestsOverIsNotIdle(t *testing.T) {
	w := newWorld(t)
	waits := uint32(0)
	polls := func(tid uint32) capture.Task {
		waits++
		return capture.Task{PID: 1, TID: tid, Waits: waits}
	}
	own := func() Link {
		r := w.reads(polls(11))
		k := w.calls(polls(11))
		w.completes(k, polls(11))
		w.responds(r, polls(11))
		w.linked(k, r, MethodThread)
		return w.links[k]
	}
	own()
	for range 20 {
		r := w.reads(polls(1))
		k := w.calls(polls(11))
		w.completes(k, polls(11))
		w.responds(r, polls(11))
		w.linked(k, r, MethodHandoff)
	}
	for range 5 {
		assert.Greater(t, own().Confidence, 0.9)
	}
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

// A worker may wake others before who waits for its result: the way over them is longer.
func TestNearestRequestHasTheCall(t *testing.T) {
	w := newWorld(t)
	r1, r2 := w.reads(onThread(1)), w.reads(onThread(2))
	k := w.calls(onThread(11))
	w.completes(k, onThread(11))
	w.wakes(onThread(11), onThread(12), 3)
	w.wakes(onThread(11), onThread(1), 1)
	w.wakes(onThread(12), onThread(2), 2)
	w.responds(r2, onThread(2))
	w.waits(k)
	w.responds(r1, onThread(1))
	w.linked(k, r1, MethodHandoff)
}

// Who works on a request keeps the results that it waited for, whomever it wakes.
func TestRequestsKeepTheirResults(t *testing.T) {
	w := newWorld(t)
	r1, r2 := w.reads(onThread(1)), w.reads(onThread(2))
	k := w.calls(onThread(11))
	w.completes(k, onThread(11))
	w.wakes(onThread(11), onThread(1), 1)
	w.wakes(onThread(1), onThread(2), 2)
	w.responds(r2, onThread(2))
	w.responds(r1, onThread(1))
	w.linked(k, r1, MethodHandoff)
}

// A goroutine that waits to hand its result over is woken by who takes it.
func TestTakerHasTheResult(t *testing.T) {
	w := newWorld(t)
	h1, h2, worker := onGoroutine(1, 0), onGoroutine(2, 0), onGoroutine(11, 0)
	r1, r2 := w.reads(h1), w.reads(h2)
	k1 := w.calls(worker)
	w.completes(k1, worker)
	w.wakes(h1, worker, 0)
	w.wakes(h2, worker, 0)
	k2 := w.calls(worker)
	w.completes(k2, worker)
	w.wakes(worker, h2, 0)
	w.responds(r2, h2)
	w.responds(r1, h1)
	w.linked(k1, r1, MethodHandoff)
	w.linked(k2, r2, MethodHandoff)
}

// One thread reads all answers and wakes a worker for each, which starts a thread that
// answers the request (java.net.http.HttpClient.sendAsync).
func TestSelectorHandsResultsOn(t *testing.T) {
	w := newWorld(t)
	const selector = 5
	r1, r2 := w.reads(onThread(1)), w.reads(onThread(1))
	k1, k2 := w.calls(onThread(11)), w.calls(onThread(12))
	w.completes(k2, onThread(selector))
	w.wakes(onThread(selector), onThread(11), 111)
	w.completes(k1, onThread(selector))
	w.wakes(onThread(selector), onThread(12), 112)
	w.wakes(onThread(selector), onThread(13), 113) // something else
	w.wakes(onThread(12), onThread(21), 0)
	w.wakes(onThread(11), onThread(22), 0)
	w.wakes(onThread(13), onThread(23), 0)
	w.responds(r2, onThread(22))
	w.responds(r1, onThread(21))
	w.linked(k1, r1, MethodHandoff)
	w.linked(k2, r2, MethodHandoff)
}

// Who answers what it called for has its result, though it woke another one before that was faster: an
// interpreter's lock that each thread waits for at an address of its own (Ruby).
func TestAnswererKeepsItsResult(t *testing.T) {
	w := newWorld(t)
	r1, r2 := w.reads(onThread(1)), w.reads(onThread(1))
	k1, k2 := w.calls(onThread(11)), w.calls(onThread(12))
	w.completes(k1, onThread(11))
	w.completes(k2, onThread(12))
	w.wakes(onThread(11), onThread(12), 112)
	w.wakes(onThread(12), onThread(11), 111)
	w.responds(r2, onThread(12))
	w.responds(r1, onThread(11))
	w.linked(k1, r1, MethodHandoff)
	w.linked(k2, r2, MethodHandoff)
}

// handsOver plays n requests whose call a worker makes, one after the other.
func (w *world) handsOver(n int) {
	for range n {
		r := w.reads(onThread(1))
		k := w.calls(onThread(11))
		w.completes(k, onThread(11))
		w.wakes(onThread(11), onThread(1), 1)
		w.responds(r, onThread(1))
		w.linked(k, r, MethodHandoff)
	}
}

// A result that nobody waited for is not that of whom the worker wakes next.
func TestResultThatNobodyWaitedFor(t *testing.T) {
	w := newWorld(t)
	w.handsOver(5)
	r1, r2 := w.reads(onThread(1)), w.reads(onThread(2))
	k1 := w.calls(onThread(11))
	w.completes(k1, onThread(11))
	k2 := w.calls(onThread(11))
	w.completes(k2, onThread(11))
	w.wakes(onThread(11), onThread(2), 2)
	w.responds(r2, onThread(2))
	w.responds(r1, onThread(1))
	w.linked(k2, r2, MethodHandoff)
	w.linked(k1, nil, "")
}

// A task that is busy is woken for two results, takes both, and answers one request after the other. Which call is whose
// nothing tells, unless the first request's task has ordered one of them.
func TestTwoResultsAtOnce(t *testing.T) {
	for name, ordered := range map[string]bool{"ordered": true, "not ordered": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.handsOver(enoughRequests)
			r1, r2 := w.reads(onThread(1)), w.reads(onThread(2))
			if ordered {
				w.wakes(onThread(1), onThread(12), 12)
			}
			k1, k2 := w.calls(onThread(12)), w.calls(onThread(13))
			for _, k := range []*protocol.Exchange{k1, k2} {
				w.completes(k, onThread(5))
				w.wakes(onThread(5), onThread(21), 21)
			}
			w.responds(r1, onThread(21))
			w.responds(r2, onThread(21))
			w.linked(k1, r1, MethodHandoff)
			assert.Equal(t, ordered, w.links[k1].Confidence > handoffDoubt)
			if !ordered {
				w.linked(k2, r1, MethodHandoff)
				assert.InDelta(t, handoffDoubt, w.links[k2].Confidence, 0)
			}
		})
	}
}

// The results of one job, which makes several calls, are handed over together.
func TestCallsOfOneJob(t *testing.T) {
	w := newWorld(t)
	for range 30 {
		r := w.reads(onThread(1))
		k1 := w.calls(onThread(11))
		w.completes(k1, onThread(11))
		k2 := w.begins(onThread(11), &protocol.Exchange{Name: "then"})
		w.completes(k2, onThread(11))
		w.wakes(onThread(11), onThread(1), 1)
		w.responds(r, onThread(1))
		w.linked(k1, r, MethodHandoff)
		w.linked(k2, r, MethodHandoff)
	}
}

// Two requests claim a call alike; one of them comes to a call of its own, as each request has one.
func TestWhoHasACallIsOutOfTheContest(t *testing.T) {
	w := newWorld(t)
	w.handsOver(enoughRequests)
	r1, r2 := w.reads(onThread(1)), w.reads(onThread(2))
	k := w.calls(onThread(11))
	w.completes(k, onThread(11))
	w.wakes(onThread(11), onThread(2), 2)
	w.wakes(onThread(11), onThread(1), 1)
	own := w.calls(onThread(12))
	w.completes(own, onThread(12))
	w.wakes(onThread(12), onThread(2), 2)
	w.responds(r2, onThread(2))
	w.responds(r1, onThread(1))
	w.waits(k)
	w.linked(own, r2, MethodHandoff)
	w.linked(k, r1, MethodHandoff)
	assert.Greater(t, w.links[k].Confidence, reliable)
}

// A loop that serves several requests was woken by workers: whose result is whose the
// wake-ups do not tell.
func TestLoopsResultsAreDoubtful(t *testing.T) {
	w := newWorld(t)
	r1, r2 := w.reads(onThread(1)), w.reads(onThread(1))
	k1 := w.calls(onThread(11))
	k2 := w.calls(onThread(12))
	w.completes(k2, onThread(12))
	w.wakes(onThread(12), onThread(1), 0)
	w.completes(k1, onThread(11))
	w.responds(r1, onThread(1))
	w.responds(r2, onThread(1))
	w.ladder.Tick(w.now)
	w.ladder.Tick(w.now + maxWait.Nanoseconds()/5)
	for _, k := range []*protocol.Exchange{k1, k2} {
		assert.Less(t, w.links[k].Confidence, reliable)
	}
}

// Who ordered a call that nobody claims is believed as often as the backward view agreed.
func TestForwardViewIsMeasured(t *testing.T) {
	for name, agrees := range map[string]bool{"agrees": true, "differs": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for range 40 {
				r, other := w.reads(onThread(1)), w.reads(onThread(2))
				if agrees {
					w.wakes(onThread(1), onThread(11), 11)
				} else {
					w.wakes(onThread(2), onThread(11), 11)
				}
				k := w.calls(onThread(11))
				w.completes(k, onThread(11))
				w.wakes(onThread(11), onThread(1), 1)
				w.responds(r, onThread(1))
				w.responds(other, onThread(2))
				w.linked(k, r, MethodHandoff)
			}
			r, other := w.reads(onThread(1)), w.reads(onThread(2))
			w.wakes(onThread(1), onThread(11), 11)
			k := w.calls(onThread(11))
			w.completes(k, onThread(11))
			w.responds(r, onThread(1))
			w.responds(other, onThread(2))
			w.linked(k, r, MethodHandoff)
			assert.Equal(t, agrees, w.links[k].Confidence > reliable, w.links[k].Confidence)
		})
	}
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

// What hand-offs do not tell, where they tell of other calls, no weaker rung is sure of.
func TestWeakerEvidenceIsLimited(t *testing.T) {
	var h handoff
	assert.InDelta(t, 0.99, h.limit(&call{}, 0.99), 0)
	h.taken = enoughRequests
	assert.InDelta(t, unconfirmed, h.limit(&call{}, 0.99), 0)
	assert.InDelta(t, 0.3, h.limit(&call{}, 0.3), 0)
}
