package causality

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// inTask is the loop's one thread, while it runs a task of asyncio.
func inTask(id uint64) capture.Task { return capture.Task{PID: 1, TID: 1, Coroutine: id} }

func TestTaskThatAnswersMadeTheCalls(t *testing.T) {
	w := newWorld(t)
	r1, r2 := w.reads(onThread(1)), w.reads(onThread(1))
	k2, k1 := w.calls(inTask(20)), w.calls(inTask(10))
	w.completes(k2, onThread(1))
	again := w.calls(inTask(20))
	w.completes(k1, onThread(1))
	w.completes(again, onThread(1))
	w.waits(k1)
	w.responds(r2, inTask(20))
	w.responds(r1, inTask(10))
	w.linked(k1, r1, MethodTask)
	w.linked(k2, r2, MethodTask)
	w.linked(again, r2, MethodTask)
}

func TestConnectInATask(t *testing.T) {
	w := newWorld(t)
	r1, r2 := w.reads(onThread(1)), w.reads(onThread(1))
	c2, c1 := w.connects(inTask(20)), w.connects(inTask(10))
	k1 := w.begins(onThread(1), &protocol.Exchange{Connected: c1})
	k2 := w.begins(onThread(1), &protocol.Exchange{Connected: c2})
	w.completes(k1, onThread(1))
	w.completes(k2, onThread(1))
	w.responds(r1, inTask(10))
	w.responds(r2, inTask(20))
	w.linked(k1, r1, MethodTask)
	w.linked(k2, r2, MethodTask)
}

// While a response is streamed, its task is known already.
func TestTaskThatStreamsMakesTheCall(t *testing.T) {
	w := newWorld(t)
	r1, r2 := w.reads(onThread(1)), w.reads(onThread(1))
	r1.Response.First = w.at(inTask(10))
	w.ladder.Exchange(r1, protocol.ResponseBegan)
	k := w.calls(inTask(10))
	w.completes(k, onThread(1))
	w.linked(k, r1, MethodTask)
	w.responds(r2, inTask(20))
}

// A task's address may be that of a task that ended before the request came.
func TestWhatATaskDidBeforeTheRequestIsNotForIt(t *testing.T) {
	w := newWorld(t)
	r1 := w.reads(onThread(1))
	k := w.calls(inTask(10))
	w.completes(k, onThread(1))
	r2 := w.reads(onThread(1))
	w.responds(r2, inTask(10))
	w.responds(r1, inTask(20))
	w.linked(k, r1, MethodThread)
}

// A task that nobody waits for may work for nobody: it counts only where the response
// waited for its call.
func TestDetachedTask(t *testing.T) {
	w := newWorld(t)
	r := w.reads(onThread(1))
	waited, not := w.calls(inTask(20)), w.calls(inTask(30))
	w.completes(waited, onThread(1))
	w.responds(r, inTask(10))
	w.completes(not, onThread(1))
	w.linked(waited, r, MethodThread)
	w.linked(not, nil, "")
}

// The loop says of a task that nobody waits for which request it works for. It is believed where it is sure of most such tasks.
func TestTasksThatOthersAnswerFor(t *testing.T) {
	for name, test := range map[string]struct {
		sure  []float64
		p     float64
		child bool
	}{
		"sure of all":        {[]float64{0.99, 0.99, 0.99, 0.99}, 0.99, true},
		"sure, but not here": {[]float64{0.99, 0.99, 0.99, 0.99}, 0.6, false},
		"sure here alone":    {[]float64{0.1, 0.1, 0.1, 0.1}, 0.99, false},
		"the first ones":     {nil, 0.99, false},
	} {
		t.Run(name, func(t *testing.T) {
			th := newProcess().thread(1)
			r := &request{answered: true, exchange: &protocol.Exchange{}, coroutine: 10}
			act := func(p float64) *call {
				c := &call{exchange: &protocol.Exchange{}}
				c.call, c.thread, c.origin.Task = c, th, inTask(20)
				c.belief = belief{who: [maxBelieved]*request{r}, p: [maxBelieved]float64{p}, n: 1, rest: 1 - p, others: 1}
				c.decideLoop()
				return c
			}
			for _, p := range test.sure {
				act(p)
			}
			c := act(test.p)
			if !test.child {
				assert.Nil(t, c.parent)
				assert.Empty(t, c.related())
				return
			}
			assert.Same(t, r, c.parent)
		})
	}
}

func TestWantsCoroutinesOfPythonLoops(t *testing.T) {
	w := newWorld(t)
	w.ladder.Found(&capture.Process{PID: 1, Runtime: capture.RuntimePython})
	r := w.reads(onThread(1))
	assert.Empty(t, w.ladder.WantsCoroutines())
	w.reads(onThread(1))
	w.responds(r, onThread(1))
	assert.Equal(t, []uint32{1}, w.ladder.WantsCoroutines())
	w.ladder.Found(&capture.Process{PID: 1, Runtime: "nodejs"})
	assert.Empty(t, w.ladder.WantsCoroutines())
}

func TestCoroutinesAreForgotten(t *testing.T) {
	w := newWorld(t)
	r := w.reads(onThread(1))
	w.reads(onThread(1))
	for id := range uint64(100) {
		w.calls(inTask(100 + id))
	}
	p := w.ladder.processes[1]
	assert.Len(t, p.coroutines.waiting, 100)
	p.tidy(w.now + connectTimeout + 1)
	assert.Empty(t, p.coroutines.waiting)
	w.responds(r, inTask(10))
	assert.Empty(t, p.coroutines.answering)
}

// A task that also calls while nothing is open works for nobody, though its call is answered before the
// only request, which another task answers.
func TestTaskThatCallsAlone(t *testing.T) {
	task := func(id uint64, turn uint32) capture.Task {
		return capture.Task{PID: 1, TID: 1, Coroutine: id, Waits: turn}
	}
	w := newWorld(t)
	r := w.reads(inTurn(1))
	own, other := w.calls(task(10, 2)), w.calls(task(20, 2))
	w.completes(own, inTurn(4))
	w.completes(other, inTurn(4))
	w.responds(r, task(10, 5))
	w.waits(other)
	w.completes(w.calls(task(20, 8)), inTurn(10))
	w.linked(own, r, MethodTask)
	w.linked(other, nil, "")

	r = w.reads(inTurn(11))
	detached := w.calls(task(30, 12))
	w.completes(detached, inTurn(14))
	w.responds(r, task(10, 15))
	w.linked(detached, r, MethodThread)

	c := &w.ladder.processes[1].coroutines
	assert.Len(t, c.alone, 1)
	w.reads(inTurn(20))
	r = w.reads(inTurn(20))
	w.responds(r, task(20, 21))
	assert.Empty(t, c.alone, "it answers requests now")
	w.responds(w.reads(inTurn(22)), task(10, 23))
}

func TestTasksThatCallAloneAreForgotten(t *testing.T) {
	w := newWorld(t)
	w.calls(inTask(10))
	p := w.ladder.processes[1]
	assert.Len(t, p.coroutines.alone, 1)
	p.tidy(w.now + afterFor + 1)
	assert.Empty(t, p.coroutines.alone)
}

// A loop that has one request at a time has timers, too.
func TestWantsCoroutinesOfLoopsThatCall(t *testing.T) {
	w := newWorld(t)
	w.ladder.Found(&capture.Process{PID: 1, Runtime: capture.RuntimePython})
	w.calls(onThread(1))
	assert.Empty(t, w.ladder.WantsCoroutines())
	w.calls(inTurn(1))
	assert.Equal(t, []uint32{1}, w.ladder.WantsCoroutines())
}

// A loop that makes a call for each request in their order is counted: the n-th call is the n-th request's. A timer's task
// makes calls for none.
func TestTheCountHasNoSayAboutATimersTask(t *testing.T) {
	const timer, requests = 1000, 60
	for name, known := range map[string]bool{"seen alone": true, "not seen alone": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if known {
				w.completes(w.calls(inTask(timer)), onThread(1))
			}
			serve := func() (byTimer *protocol.Exchange) {
				var open, calls []*protocol.Exchange
				for range requests {
					open = append(open, w.reads(onThread(1)))
				}
				if w.ladder.process(1).threads[1].loop.line.trusted() {
					byTimer = w.calls(inTask(timer))
				}
				for i := range open[:requests-1] {
					calls = append(calls, w.calls(inTask(uint64(i+1))))
				}
				if byTimer == nil {
					calls = append(calls, w.calls(inTask(requests)))
				} else {
					w.completes(byTimer, onThread(1))
				}
				for i, r := range open {
					if i < len(calls) {
						w.completes(calls[i], onThread(1))
					}
					w.responds(r, inTask(uint64(i+1)))
				}
				return byTimer
			}
			require.Nil(t, serve())
			w.ladder.Tick(w.now)
			byTimer := serve()
			require.NotNil(t, byTimer, "the loop must be known to make its calls in their order")
			w.linked(byTimer, nil, "")
		})
	}
}

// Under load that never ends a timer's task is not seen alone again.
func TestATaskThatWorksForNobodyIsKnownWhileItCalls(t *testing.T) {
	const timer = 1000
	w := newWorld(t)
	w.completes(w.calls(inTask(timer)), onThread(1))
	open := w.reads(onThread(1))
	var byTimer *protocol.Exchange
	for i := range uint64(3) {
		w.now += afterFor * 2 / 3
		byTimer = w.calls(inTask(timer))
		w.completes(byTimer, onThread(1))
		next := w.reads(onThread(1))
		w.responds(open, inTask(i+1))
		w.ladder.Tick(w.now)
		open = next
	}
	w.linked(byTimer, nil, "")
}
