package causality

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// lineOf plays requests that one loop works on in the order in which they come, with so many open at a time; by returns
// who writes the call, and the response, of a request.
func (w *world) lineOf(n, open int, by func(i int) (call, response capture.Task)) (requests, calls []*protocol.Exchange) {
	answered := 0
	answer := func() {
		_, response := by(answered)
		w.completes(calls[answered], onThread(poller))
		w.responds(requests[answered], response)
		answered++
	}
	for i := range n {
		requests = append(requests, w.readsStream(onThread(poller)))
		call, _ := by(i)
		if calls = append(calls, w.calls(call)); len(calls) > open {
			answer()
		}
	}
	for answered < n {
		answer()
	}
	return requests, calls
}

// What another thread wrote finds its request by the order of those that are known.
func TestOrderFindsWhatAnotherThreadWrote(t *testing.T) {
	const n, call, response, both = 120, 40, 60, 80
	w := tasks(t)
	other := capture.Task{PID: 1, TID: 7, Coroutine: 0x5000 + call + 1} // the task that runs by then
	requests, calls := w.lineOf(n, 6, func(i int) (capture.Task, capture.Task) {
		own := onTask(0x5000 + uint64(i))
		switch i {
		case call:
			return other, own
		case response:
			return own, other
		case both:
			return onThread(7), onThread(7)
		}
		return own, own
	})
	for i := range n {
		switch i {
		case call, both:
			w.linked(calls[i], requests[i], MethodHandoff)
		default:
			w.linked(calls[i], requests[i], MethodTask)
		}
		assert.Greater(t, w.links[calls[i]].Confidence, reliable)
	}
}

// A name may be another task's by the time of the response: it stands where no other pair does.
func TestOrderDoubtsNamesThatAreUsedAgain(t *testing.T) {
	const n, first, second = 120, 40, 44
	w := tasks(t)
	requests, calls := w.lineOf(n, 12, func(i int) (capture.Task, capture.Task) {
		own := onTask(0x5000 + uint64(i))
		switch i {
		case first:
			return own, onThread(7)
		case second:
			return onThread(7), onTask(0x5000 + first)
		}
		return own, own
	})
	w.linked(calls[0], requests[0], MethodTask)
	for i := range n {
		assert.Same(t, requests[i], w.links[calls[i]].Parent, i)
	}
}

// A task that waits for something else than its call stands elsewhere at one end.
func TestOrderBelievesNamesThatWaited(t *testing.T) {
	w := tasks(t)
	slow := w.readsStream(onThread(poller))
	first, _ := w.lineOf(60, 6, func(i int) (capture.Task, capture.Task) {
		return onTask(0x5000 + uint64(i)), onTask(0x5000 + uint64(i))
	})
	k := w.calls(onTask(0x4000))
	w.completes(k, onThread(poller))
	w.responds(slow, onTask(0x4000))
	w.linked(k, slow, MethodTask)
	assert.Greater(t, w.links[k].Confidence, reliable)
	assert.NotEmpty(t, first)
}

// Where threads overtake each other the order tells nothing.
func TestNoOrderTellsNothing(t *testing.T) {
	const batches, batch, another = 40, 12, 99
	w, chance := workers(t), rand.New(rand.NewPCG(1, 2))
	right, wrong := 0, 0
	parents := make(map[*protocol.Exchange]*protocol.Exchange)
	for at := range batches {
		var open []*protocol.Exchange
		for range batch {
			open = append(open, w.readsStream(onThread(poller)))
		}
		made := make([]*protocol.Exchange, batch)
		for _, i := range chance.Perm(batch) {
			by := onThread(1 + uint32(i))
			if at > batches/2 && i < 3 {
				by = onThread(another)
			}
			made[i] = w.calls(by)
			parents[made[i]] = open[i]
		}
		for _, i := range chance.Perm(batch) {
			w.completes(made[i], onThread(poller))
		}
		for _, i := range chance.Perm(batch) {
			w.responds(open[i], onThread(1+uint32(i)))
		}
	}
	for range 3 {
		w.now += maxWait.Nanoseconds() / 5
		w.ladder.Tick(w.now)
	}
	for k, l := range w.links {
		switch {
		case parents[k] == nil || l.Confidence < reliable:
		case l.Parent == parents[k]:
			right++
		default:
			wrong++
		}
	}
	assert.Zero(t, wrong)
	assert.GreaterOrEqual(t, right, batches*batch-3*batches/2)
}

func TestOrderForgets(t *testing.T) {
	w := tasks(t)
	w.lineOf(60, 6, func(i int) (capture.Task, capture.Task) {
		return onTask(0x5000 + uint64(i)), onTask(0x5000 + uint64(i))
	})
	w.ladder.Tick(w.now + maxWait.Nanoseconds())
	w.ladder.Tick(w.now + maxWait.Nanoseconds())
	w.now += 2 * maxWait.Nanoseconds()
	w.serves(onTask(0x9000))
	w.ladder.Tick(w.now + maxWait.Nanoseconds()/5)
	order := &w.ladder.processes[1].writers.order
	assert.Len(t, order.calls, 1)
	assert.Len(t, order.requests, 1)
	w.ladder.Tick(w.now + 2*maxWait.Nanoseconds())
	assert.Empty(t, order.calls)
	assert.Empty(t, order.requests)
}

func TestSurplusAround(t *testing.T) {
	s := surplus{{10, 1}, {20, 1}, {30, 40}, {40, 2}, {50, 2}}
	for _, c := range []struct{ moment, want int }{{5, 1}, {25, 2}, {30, 2}, {60, 2}} {
		assert.Equal(t, c.want, s.around(c.moment), c.moment)
	}
	assert.Zero(t, surplus(nil).around(5))
}

func TestLoopTasks(t *testing.T) {
	var l loopTasks
	for range 2 * maxWrote {
		l.wrote(onThread(7))
	}
	l.wrote(onTask(1))
	assert.False(t, l.most(), "threads write")
	for n := range uint64(2 * maxWrote) {
		l.wrote(onTask(n + 1))
	}
	other := capture.Task{PID: 1, TID: 7, Coroutine: 5}
	for range maxWrote - 1 {
		l.wrote(other)
	}
	assert.True(t, l.most())
	assert.True(t, l.runIn(onTask(5)))
	assert.False(t, l.runIn(other), "a burst of another thread")
	assert.False(t, l.runIn(onThread(1)), "no task runs")
	for range 2 * maxHabits {
		l.wrote(onTask(5))
	}
	assert.LessOrEqual(t, l.total, maxHabits)
}
