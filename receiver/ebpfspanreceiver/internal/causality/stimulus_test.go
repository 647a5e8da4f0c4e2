package causality

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// libuv plays an event loop that acts in the turn in which it reads.
type libuv struct {
	*world
	turn uint32
}

// request plays one that makes calls at once, whose answers are read in turns of their own, and is
// answered in that of the last. meanwhile is played before the first answer.
func (l *libuv) request(calls int, meanwhile func()) (r *protocol.Exchange, made []*protocol.Exchange) {
	l.turn++
	r = l.reads(inTurn(l.turn))
	for range calls {
		made = append(made, l.calls(inTurn(l.turn)))
	}
	meanwhile()
	for _, k := range made {
		l.turn++
		l.completes(k, inTurn(l.turn))
	}
	l.responds(r, inTurn(l.turn))
	return r, made
}

// timer plays a call in a turn of its own, the answer to which leads to nothing.
func (l *libuv) timer() *protocol.Exchange {
	l.turn++
	k := l.calls(inTurn(l.turn))
	l.turn++
	l.completes(k, inTurn(l.turn))
	return k
}

func nothing() {}

// passes plays that so much time passes.
func (l *libuv) passes(d time.Duration) {
	l.now += d.Nanoseconds()
	l.ladder.Tick(l.now)
}

// loopOf has answered enough requests for it to be known that it acts at once.
func loopOf(t *testing.T, calls int) *libuv {
	l := &libuv{world: newWorld(t)}
	for range 2 * enoughResponses {
		l.request(calls, nothing)
		l.passes(time.Millisecond)
	}
	return l
}

// child asserts that a call was given to a request with a confidence that makes it a child.
func (l *libuv) child(k, r *protocol.Exchange) {
	l.t.Helper()
	l.linked(k, r, MethodThread)
	assert.Greater(l.t, l.links[k].Confidence, 0.9)
}

// A timer's calls are of the same kind as a request's, but come in turns in which nothing was
// read, and their answers lead to nothing.
func TestTurnsTellTimersFromRequests(t *testing.T) {
	l := loopOf(t, 1)
	for range 20 {
		var timers []*protocol.Exchange
		r, made := l.request(1, func() {
			l.passes(3 * time.Millisecond)
			timers = append(timers, l.timer())
		})
		timers = append(timers, l.timer())
		for _, k := range timers {
			l.linked(k, nil, "")
		}
		l.child(made[0], r)
	}
}

// The answer to a timer's call leads to a call that is never made alone, and whose answer leads to nothing. Neither tells of the
// other that it is the request's which is open.
func TestWhatATimersAnswerLeadsTo(t *testing.T) {
	for name, answered := range map[string]bool{"a timer's": false, "the request's": true} {
		t.Run(name, func(t *testing.T) {
			l := loopOf(t, 1)
			for range 5 {
				l.timer()
			}
			l.turn++
			r := l.reads(inTurn(l.turn))
			own := l.calls(inTurn(l.turn))
			l.turn++
			first := l.calls(inTurn(l.turn))
			l.turn++
			l.completes(first, inTurn(l.turn))
			then := l.begins(inTurn(l.turn), &protocol.Exchange{Name: "GET /renew"})
			l.turn++
			l.completes(then, inTurn(l.turn))
			if answered {
				l.responds(r, inTurn(l.turn))
				l.child(then, r)
				l.child(first, r)
				return
			}
			l.turn++
			l.completes(own, inTurn(l.turn))
			l.responds(r, inTurn(l.turn))
			l.linked(first, nil, "")
			l.linked(then, nil, "")
			l.child(own, r)
		})
	}
}

// A call of a kind that was not seen before, to which nothing led and which led to nothing, is doubtful in a process that calls while
// nothing is open, and in none that does not: there it is one of several of the request's.
func TestCallsOfANewKindWhereOthersComeAlone(t *testing.T) {
	for name, c := range map[string]struct{ timers, ownTurn bool }{
		"others come alone":                      {timers: true},
		"others come alone, nothing was read":    {timers: true, ownTurn: true},
		"none comes alone":                       {},
		"none comes alone, and nothing was read": {ownTurn: true},
	} {
		t.Run(name, func(t *testing.T) {
			l := loopOf(t, 1)
			for range 5 {
				if c.timers {
					l.timer()
				}
			}
			var other *protocol.Exchange
			r, made := l.request(1, func() {
				if c.ownTurn {
					l.turn++
				}
				other = l.begins(inTurn(l.turn), &protocol.Exchange{Name: "GET /messages"})
				l.turn++
				l.completes(other, inTurn(l.turn))
			})
			l.waits(other)
			l.child(made[0], r)
			if !c.timers {
				l.child(other, r)
				return
			}
			l.linked(other, r, MethodThread)
			assert.InDelta(t, unconfirmed, l.links[other].Confidence, 0)
		})
	}
}

// While requests are left out, a call that nothing explains may be one of theirs.
func TestCallsOfRequestsThatAreLeftOut(t *testing.T) {
	for name, hidden := range map[string]bool{"hidden": true, "seen": false} {
		t.Run(name, func(t *testing.T) {
			l := loopOf(t, 1)
			task := inTurn(l.turn + 1)
			if hidden {
				task.Hidden = 1
			}
			l.completes(l.calls(task), task)
			task.Coroutine = 20
			l.calls(task)
			p := l.ladder.processes[1]
			counted := 0.0
			for _, h := range p.aftermath.kinds {
				counted += h.unprompted
			}
			assert.Equal(t, hidden, counted == 0)
			assert.Equal(t, hidden, len(p.coroutines.alone) == 0)
		})
	}
}

// Before calls of the kind were seen without a request, one whose answer leads to nothing is
// doubtful, and it waits for that.
func TestTimersOfALoopThatIsNeverIdle(t *testing.T) {
	l := loopOf(t, 1)
	l.request(1, func() { l.request(1, nothing) })
	var first, second *protocol.Exchange
	r, _ := l.request(1, func() { first = l.timer() })
	l.waits(first)
	l.linked(first, r, MethodThread)
	assert.InDelta(t, unconfirmed, l.links[first].Confidence, 0)
	l.request(1, func() { second = l.timer() })
	l.timer()
	l.linked(second, nil, "")
}

// A request that waits for a timer of its own goes on in the turn in which it gets the answer.
func TestDelayedCallsAreProvedByTheirAnswers(t *testing.T) {
	l := loopOf(t, 1)
	for range 20 {
		l.timer()
		l.request(1, nothing)
		l.turn++
		r := l.reads(inTurn(l.turn))
		l.passes(2 * time.Millisecond)
		l.turn++
		k := l.calls(inTurn(l.turn))
		l.turn++
		l.completes(k, inTurn(l.turn))
		next := l.calls(inTurn(l.turn))
		l.turn++
		l.completes(next, inTurn(l.turn))
		l.responds(r, inTurn(l.turn))
		l.child(next, r)
		l.child(k, r)
	}
}

// A call that is given to a request which only stays open is no proof that the one before is its, too.
func TestWeakLinksProveNothing(t *testing.T) {
	l := loopOf(t, 1)
	l.timer()
	l.turn++
	poll := l.reads(inTurn(l.turn))
	l.turn++
	k := l.calls(inTurn(l.turn))
	l.passes(2 * time.Duration(dormantAfter))
	l.turn++
	l.completes(k, inTurn(l.turn))
	next := l.calls(inTurn(l.turn))
	l.turn++
	l.completes(next, inTurn(l.turn))
	l.turn++
	l.responds(poll, inTurn(l.turn))
	l.linked(next, poll, MethodThread)
	assert.InDelta(t, dormantConfidence, l.links[next].Confidence, 0)
	l.linked(k, nil, "")
}

// Of calls that are made at once the first answer leads to nothing; that they are several is usual.
func TestParallelCallsBesideTimers(t *testing.T) {
	l := loopOf(t, 2)
	l.timer()
	r, made := l.request(2, nothing)
	l.child(made[0], r)
	l.linked(made[1], r, MethodThread)

	l = loopOf(t, 1)
	l.timer()
	r, made = l.request(2, func() { l.passes(time.Millisecond) })
	l.child(made[0], r)
	l.child(made[1], r) // its answer led to the response
}

// With others open, too, a call that rests on nothing and leads to nothing is nobody's, once such
// calls were seen alone.
func TestTimersBesideSeveralRequests(t *testing.T) {
	l := loopOf(t, 1)
	l.timer()
	for range 20 {
		var k *protocol.Exchange
		l.request(1, func() {
			l.request(1, func() { k = l.timer() })
		})
		l.linked(k, nil, "")
		l.passes(time.Millisecond)
	}
}

// busy plays two requests that are read in one turn and make calls, the last of which is answered first.
func (l *libuv) busy(calls int, timer bool, owners map[*protocol.Exchange]*protocol.Exchange) {
	l.turn++
	var made []*protocol.Exchange
	rs := []*protocol.Exchange{nil, nil}
	for i := range rs {
		rs[i] = l.reads(inTurn(l.turn))
		for range calls {
			k := l.calls(inTurn(l.turn))
			owners[k], made = rs[i], append(made, k)
		}
	}
	if timer {
		k := l.calls(inTurn(l.turn))
		owners[k] = nil
		l.turn++
		l.completes(k, inTurn(l.turn))
	}
	for i := range rs {
		for n := calls - 1; n >= 0; n-- {
			l.turn++
			l.completes(made[i*calls+n], inTurn(l.turn))
		}
		l.responds(rs[i], inTurn(l.turn))
	}
	l.passes(time.Millisecond)
}

// A busy loop's timers fire at the end of turns in which much was read, and are not taken for what the last
// request does, unless requests do several things.
func TestTimersAtTheEndOfATurn(t *testing.T) {
	for name, test := range map[string]struct {
		calls int
		timer bool
	}{"one": {1, true}, "several": {2, false}} {
		t.Run(name, func(t *testing.T) {
			l := loopOf(t, test.calls)
			l.timer()
			owners := make(map[*protocol.Exchange]*protocol.Exchange)
			for n := range 900 {
				l.busy(test.calls, test.timer && n%25 == 24, owners)
			}
			l.ladder.Flush()
			right := 0
			for k, r := range owners {
				switch link := l.links[k]; {
				case r == nil:
					assert.Nil(t, link.Parent)
				case link.Parent == r && link.Confidence > 0.9:
					right++
				}
			}
			assert.Greater(t, right, 1700*test.calls, "of %d", 1800*test.calls)
		})
	}
}

// A loop that acts in later turns, as asyncio's, is not told by its turns.
func TestLoopsThatActLater(t *testing.T) {
	w := newWorld(t)
	var last, request *protocol.Exchange
	for turn := uint32(10); turn < 400; turn += 10 {
		request = w.reads(inTurn(turn))
		last = w.calls(inTurn(turn + 1))
		w.completes(last, inTurn(turn+3))
		w.responds(request, inTurn(turn+4))
	}
	assert.True(t, w.ladder.processes[1].threads[1].reacts.late())
	w.linked(last, request, MethodThread)
	assert.InDelta(t, threadConfidence, w.links[last].Confidence, 0)
}

// A thread that waits for each of its sockets before it uses it is no loop, though its responses follow
// on answers at once: its calls are its request's as long as none came alone.
func TestThreadsThatWaitForTheirSockets(t *testing.T) {
	w := newWorld(t)
	turn := uint32(0)
	for range 5 * enoughResponses {
		turn++
		r := w.reads(inTurn(turn))
		var made []*protocol.Exchange
		for range 3 {
			turn++
			k := w.calls(inTurn(turn))
			turn++
			w.completes(k, inTurn(turn))
			made = append(made, k)
		}
		w.responds(r, inTurn(turn))
		for _, k := range made {
			w.linked(k, r, MethodThread)
			assert.InDelta(t, threadConfidence, w.links[k].Confidence, 0)
		}
	}
	assert.True(t, w.ladder.processes[1].threads[1].reacts.late())
}

// A request that usually makes no call is not given the call of a timer that fires when it comes.
func TestTimersInTheTurnOfARequest(t *testing.T) {
	l := loopOf(t, 0)
	for range 200 {
		l.timer()
		l.request(0, nothing)
	}
	l.turn++
	r := l.reads(inTurn(l.turn))
	l.passes(time.Millisecond)
	k := l.calls(inTurn(l.turn))
	l.responds(r, inTurn(l.turn))
	l.turn++
	l.completes(k, inTurn(l.turn))
	l.ladder.Flush()
	assert.Less(t, l.links[k].Confidence, 0.9)
}

// The call that an answer leads to may have to wait for its connection.
func TestAnswersThatLeadToConnects(t *testing.T) {
	l := loopOf(t, 1)
	l.timer()
	l.turn++
	r := l.reads(inTurn(l.turn))
	l.turn++
	k := l.calls(inTurn(l.turn))
	l.turn++
	l.completes(k, inTurn(l.turn))
	connected := l.connects(inTurn(l.turn))
	l.turn++
	next := l.begins(inTurn(l.turn), &protocol.Exchange{Connected: connected})
	l.turn++
	l.completes(next, inTurn(l.turn))
	l.responds(r, inTurn(l.turn))
	l.linked(next, r, MethodThread)
	l.child(k, r)
}

// The order takes each act for the consequence of something that was read, and each answer for one that is
// acted on.
func TestOrderCountsWhereAnswersLeadOn(t *testing.T) {
	r, response := &request{answered: true, exchange: &protocol.Exchange{}}, &stimulus{}
	acts := map[string]struct {
		a    act
		more bool
	}{
		"first, leads on":     {act{stimulus: &stimulus{request: r}}, true},
		"leads on":            {act{}, true},
		"leads nowhere":       {act{}, false},
		"second, nowhere":     {act{stimulus: &stimulus{request: r}, nth: 1}, false},
		"first, nowhere":      {act{stimulus: &stimulus{request: r}}, true},
		"of its own task":     {act{origin: conn.Origin{Task: inTask(10)}}, true},
		"of no task's answer": {act{origin: conn.Origin{Task: onThread(1)}}, true},
	}
	for name, test := range acts {
		t.Run(name, func(t *testing.T) {
			c := &call{act: test.a, answer: response, exchange: &protocol.Exchange{}}
			c.call, c.thread, c.ordered, c.claimed = c, newProcess().thread(1), r, true
			c.belief = belief{who: [maxBelieved]*request{r}, p: [maxBelieved]float64{0.6}, n: 1, rest: 0.4, others: 1}
			if c.origin.Task == (capture.Task{}) {
				c.origin.Task = inTurn(5)
			}
			if name == "leads on" || name == "first, leads on" {
				c.answer = &stimulus{response: r}
			}
			r.coroutine = 10
			c.decideLoop()
			assert.Same(t, r, c.parent)
			assert.Equal(t, test.more, c.confidence > 0.61, c.confidence)
		})
	}
}

// What a task does that also calls alone is nobody's with several requests open, too.
func TestTaskThatCallsAloneBesideSeveral(t *testing.T) {
	w := newWorld(t)
	w.completes(w.calls(inTask(20)), onThread(1))
	for range enough {
		r1, r2 := w.reads(onThread(1)), w.reads(onThread(1))
		k := w.calls(inTask(20))
		w.completes(k, onThread(1))
		w.responds(r1, onThread(1))
		w.responds(r2, onThread(1))
		w.linked(k, nil, "")
	}
}

// A server that calls nobody pays little.
func TestReadingAllocatesNothing(t *testing.T) {
	x := reacts{reactions: &reactions{}}
	r, turn := &request{exchange: &protocol.Exchange{}}, uint32(1)
	x.reads(r, nil, turn, 1)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		turn++
		x.reads(r, nil, turn, 1)
		x.responds(r, inTurn(turn))
	}))
	held := x.last
	x.acts(&act{origin: conn.Origin{Task: inTurn(turn)}})
	x.reads(r, nil, turn+1, 1)
	assert.NotSame(t, held, x.last)
	assert.Equal(t, turn, held.turn)
}

// A loop that calls again for each answer makes a chain without end: calls that have left let go of those before.
func TestCallsLetGoOfThoseBefore(t *testing.T) {
	l := loopOf(t, 1)
	k := l.calls(inTurn(l.turn))
	for range 10 {
		before := k
		l.turn++
		l.completes(k, inTurn(l.turn))
		k = l.calls(inTurn(l.turn))
		l.passes(maxWait)
		assert.Contains(t, l.links, before)
		assert.Nil(t, before.State.(*call).stimulus)
		assert.Nil(t, before.State.(*call).answer)
		assert.NotNil(t, k.State.(*call).stimulus)
	}
}

// Pipelined answers come of one read; what is done next is for all of them.
func TestAnswersOfOneRead(t *testing.T) {
	l := loopOf(t, 1)
	l.timer()
	for range 20 {
		l.turn++
		r := l.reads(inTurn(l.turn))
		made := []*protocol.Exchange{l.calls(inTurn(l.turn)), l.calls(inTurn(l.turn)), l.calls(inTurn(l.turn))}
		l.turn++
		for _, k := range made {
			now := l.now
			l.completes(k, inTurn(l.turn))
			l.now = now
		}
		l.responds(r, inTurn(l.turn))
		for _, k := range made {
			l.child(k, r)
		}
	}
}
