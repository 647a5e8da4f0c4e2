package causality

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// followed asserts that a call left without a parent, and as one after that request's response.
func (w *world) followed(call, request *protocol.Exchange) {
	w.t.Helper()
	w.linked(call, nil, "")
	related := w.links[call].Related
	if request == nil {
		assert.Empty(w.t, related)
		return
	}
	require.Len(w.t, related, 1)
	assert.Same(w.t, request, related[0].Exchange)
	assert.Equal(w.t, MethodAfterResponse, related[0].Method)
	assert.GreaterOrEqual(w.t, related[0].Confidence, sharedConfidence)
}

// made plays a call and its answer.
func (w *world) made(task capture.Task) *protocol.Exchange {
	k := w.calls(task)
	w.completes(k, task)
	return k
}

func TestGoroutineCallsAfterItsResponse(t *testing.T) {
	w := newWorld(t)
	r := w.reads(onGoroutine(10, 1))
	other := w.reads(onGoroutine(20, 1))
	during := w.made(onGoroutine(11, 10))
	w.responds(r, onGoroutine(10, 1))
	own, child := w.made(onGoroutine(10, 1)), w.made(onGoroutine(12, 10))
	w.linked(during, r, MethodGoroutine)
	w.followed(own, r)
	w.followed(child, r)
	assert.InDelta(t, 1, w.links[own].Related[0].Confidence, 0)
	w.responds(other, onGoroutine(20, 1))
}

// Work in the background goes on while the goroutine of its connection serves the next request.
func TestGoroutineOfAnEarlierRequestOnTheSameConnection(t *testing.T) {
	w := newWorld(t)
	r1 := w.reads(onGoroutine(10, 1))
	w.responds(r1, onGoroutine(10, 1))
	first := w.made(onGoroutine(11, 10))
	r2 := w.reads(onGoroutine(10, 1))
	second, own := w.made(onGoroutine(11, 10)), w.made(onGoroutine(10, 1))
	w.responds(r2, onGoroutine(10, 1))
	w.followed(first, r1)
	w.followed(second, r1)
	w.linked(own, r2, MethodGoroutine)
}

// Who asked before the next request was read did not ask for that.
func TestAskedBeforeTheNextRequestWasRead(t *testing.T) {
	w := newWorld(t)
	r1 := w.reads(onGoroutine(10, 1))
	w.responds(r1, onGoroutine(10, 1))
	asked := w.at(onGoroutine(11, 10))
	r2 := w.reads(onGoroutine(10, 1))
	k := w.begins(onGoroutine(15, 9), &protocol.Exchange{Asked: &asked})
	w.completes(k, onGoroutine(16, 9))
	w.followed(k, r1)
	w.responds(r2, onGoroutine(10, 1))
}

// life plays a task that serves one request after the other on a connection. Times are in
// microseconds, and chosen at random up to twice the mean.
type life struct {
	// think is how long the client takes, works how long a request is open.
	think, works int64
	// task is who serves, others who calls for the n-th request or the n-th timer.
	task   func(turn uint32) capture.Task
	others func(n int, turn uint32) capture.Task
	// background is after how long a request has something called after its response, timer
	// how often something is called for none; 0 is never. calls says that requests call, too.
	background, timer int64
	calls             bool
}

// played are the calls, with the requests that they are of.
type played struct {
	during, background, timers map[*protocol.Exchange]*protocol.Exchange
}

func (l *life) play(w *world, requests int) played {
	const us = int64(time.Microsecond)
	random := rand.New(rand.NewPCG(7, 8))
	spread := func(mean int64) int64 { return mean/2 + random.Int64N(max(mean, 1)) }
	p := played{make(map[*protocol.Exchange]*protocol.Exchange), make(map[*protocol.Exchange]*protocol.Exchange), make(map[*protocol.Exchange]*protocol.Exchange)}
	type event struct {
		at int64
		do func()
	}
	var events []event
	plan := func(at int64, do func()) { events = append(events, event{at, do}) }
	turn, n, others := uint32(1), 0, 0
	call := func(to map[*protocol.Exchange]*protocol.Exchange, r *protocol.Exchange, task func() capture.Task) {
		k := w.calls(task())
		to[k] = r
		plan(w.now+spread(300)*us, func() { w.completes(k, task()) })
	}
	other := func() func() capture.Task {
		others++
		number := others
		return func() capture.Task { return l.others(number, turn) }
	}
	own := func() capture.Task { return l.task(turn) }
	var request func()
	request = func() {
		if n++; n > requests {
			return
		}
		r := w.reads(own())
		if l.calls {
			call(p.during, r, own)
		}
		plan(w.now+spread(l.works)*us, func() {
			w.responds(r, own())
			if l.background > 0 {
				delay := int64(float64(l.background) * random.ExpFloat64())
				plan(w.now+delay*us, func() { call(p.background, r, other()) })
			}
			plan(w.now+spread(l.think)*us, request)
		})
	}
	plan(0, request)
	for at := l.timer; l.timer > 0 && at < int64(requests)*(l.think+l.works); at += l.timer {
		plan(at*us, func() { call(p.timers, nil, other()) })
	}
	for len(events) > 0 {
		next := 0
		for i := range events {
			if events[i].at < events[next].at {
				next = i
			}
		}
		e := events[next]
		events = append(events[:next], events[next+1:]...)
		w.now = max(w.now, e.at)
		turn++
		e.do()
	}
	w.ladder.Flush()
	return p
}

// shares counts the calls that have the right parent, a wrong one, and the right request that
// they follow.
func (w *world) shares(calls map[*protocol.Exchange]*protocol.Exchange) (right, wrong, follows int) {
	for k, r := range calls {
		l := w.links[k]
		switch {
		case l.Parent == nil || l.Confidence < 0.9:
			if len(l.Related) == 1 && l.Related[0].Exchange == r {
				follows++
			}
		case l.Parent == r:
			right++
		default:
			wrong++
		}
	}
	return right, wrong, follows
}

func connection(uint32) capture.Task { return onGoroutine(10, 1) }

// fresh are goroutines that the connection's started.
func fresh(n int, _ uint32) capture.Task { return onGoroutine(uint64(1000+n), 10) }

func eventLoop(turn uint32) capture.Task { return inTurn(turn) }

func sameLoop(_ int, turn uint32) capture.Task { return inTurn(turn) }

// A new goroutine that calls while a request is open may be of the one before, if that is
// what goroutines do here.
func TestLateGoroutinesOfTheRequestBefore(t *testing.T) {
	w := newWorld(t)
	p := (&life{think: 100, works: 60, background: 60, task: connection, others: fresh}).play(w, 600)
	right, wrong, follows := w.shares(p.background)
	assert.Zero(t, right)
	assert.LessOrEqual(t, wrong, 6, "the first of its kind is not known")
	assert.GreaterOrEqual(t, follows, 520, "of 600")
}

// What requests' goroutines call themselves is not in doubt because of that, be it of the same kind.
func TestLateGoroutinesDoNotSpoilOthers(t *testing.T) {
	w := newWorld(t)
	p := (&life{think: 100, works: 400, background: 60, calls: true, task: connection, others: fresh}).play(w, 600)
	right, wrong, _ := w.shares(p.during)
	assert.Equal(t, 600, right)
	assert.Zero(t, wrong)
	_, wrong, _ = w.shares(p.background)
	assert.LessOrEqual(t, wrong, 12, "of 600")
}

// A loop calls in the background; often the next request has come, and is the only one that
// is open.
func TestLoopBackgroundIsNotTheNextRequests(t *testing.T) {
	w := newWorld(t)
	p := (&life{think: 100, works: 60, background: 60, task: eventLoop, others: sameLoop}).play(w, 600)
	_, wrong, _ := w.shares(p.background)
	assert.LessOrEqual(t, wrong, 6)
}

// Timers' calls are of the same kind as those of requests, and come at any time.
func TestTimersLeaveCallsOfRequests(t *testing.T) {
	w := newWorld(t)
	p := (&life{think: 400, works: 2000, calls: true, timer: 5000, task: eventLoop, others: sameLoop}).play(w, 2000)
	right, wrong, _ := w.shares(p.during)
	assert.GreaterOrEqual(t, right, 1980, "of 2000")
	assert.Zero(t, wrong)
	_, wrong, _ = w.shares(p.timers)
	assert.LessOrEqual(t, wrong, len(p.timers)/50)
}

func TestThreadCallsAfterItsResponse(t *testing.T) {
	w := newWorld(t)
	r := w.reads(onThread(1))
	w.responds(r, onThread(1))
	k := w.made(onThread(1))
	w.followed(k, r)
	w.now += afterFor
	w.followed(w.made(onThread(1)), nil)
}

// A reactor reads, and a worker answers: what the reactor does then is not of that request.
func TestThreadThatOnlyReadsFollowsNothing(t *testing.T) {
	w := newWorld(t)
	r := w.reads(onThread(1))
	w.responds(r, onThread(2))
	w.followed(w.made(onThread(1)), nil)
}

func inTurn(waits uint32) capture.Task { return capture.Task{PID: 1, TID: 1, Waits: waits} }

// A loop follows a response only with what it does soon, where there is time for other things.
func TestLoopCallsAfterAResponse(t *testing.T) {
	w := newWorld(t)
	p := (&life{think: 5000, works: 100, background: 40, task: eventLoop, others: sameLoop}).play(w, 300)
	right, wrong, follows := w.shares(p.background)
	assert.Zero(t, right+wrong)
	assert.GreaterOrEqual(t, follows, 270, "of 300")
}

func TestTimersFollowNoResponse(t *testing.T) {
	w := newWorld(t)
	p := (&life{think: 5000, works: 100, timer: 1700, task: eventLoop, others: sameLoop}).play(w, 1000)
	for k := range p.timers {
		for _, r := range w.links[k].Related {
			assert.Less(t, r.Confidence, 0.8)
		}
	}
}

// With several responses in a few turns nothing tells which of them a call follows.
func TestLoopCallsAfterResponses(t *testing.T) {
	w := newWorld(t)
	for turn := uint32(1); turn < 200; turn += 20 {
		r1, r2 := w.reads(inTurn(turn)), w.reads(inTurn(turn))
		w.responds(r1, inTurn(turn))
		w.responds(r2, inTurn(turn))
		w.followed(w.made(inTurn(turn+1)), nil)
		w.now += int64(time.Millisecond)
	}
}

func TestAgesAreCoveredWhole(t *testing.T) {
	var a ages
	a.cover(-5, 1000)
	a.cover(1000, 3*horizon)
	sum := 0.0
	for _, n := range a {
		sum += n
	}
	assert.InDelta(t, float64(horizon), sum, 1)
	assert.InDelta(t, float64(int64(1)<<ageUnit), a[0], 1)
	bin, end := ageBin(horizon - 1)
	assert.Equal(t, ageBins-1, bin)
	assert.Equal(t, horizon, end)
}

func TestAnsweredGoroutinesAreForgotten(t *testing.T) {
	w := newWorld(t)
	w.responds(w.reads(onGoroutine(10, 1)), onGoroutine(10, 1))
	w.responds(w.reads(onThread(1)), onThread(1))
	w.ladder.Tick(w.now + afterFor + 1)
	assert.Empty(t, w.ladder.process(1).goroutines.serving)
	assert.Nil(t, w.ladder.process(1).threads[1].last)
}

// What was counted before it was known that another thread answers is forgotten, and no more than that.
func TestCallsAloneOnceOthersAnswer(t *testing.T) {
	w := newWorld(t)
	w.responds(w.reads(inTurn(1)), onThread(2))
	w.responds(w.reads(inTurn(1)), inTurn(1))
	w.completes(w.begins(inTurn(2), &protocol.Exchange{Details: path("/x")}), inTurn(3))
	assert.Len(t, w.ladder.processes[1].aftermath.kinds, 1)
}
