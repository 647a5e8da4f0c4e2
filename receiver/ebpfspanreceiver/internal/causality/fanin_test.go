package causality

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// served asserts that a call is linked to these requests besides its parent.
func (w *world) served(call *protocol.Exchange, method Method, requests ...*protocol.Exchange) {
	w.t.Helper()
	related := w.links[call].Related
	require.Len(w.t, related, len(requests))
	for _, r := range related {
		assert.True(w.t, slices.Contains(requests, r.Exchange))
		assert.Equal(w.t, method, r.Method)
	}
}

// A loader gathers what requests ask for, and calls once, by a timer.
func TestLoopBatch(t *testing.T) {
	w := newWorld(t)
	r1, r2, r3 := w.reads(inTurn(1)), w.reads(inTurn(2)), w.reads(inTurn(3))
	k := w.calls(inTurn(9))
	w.completes(k, inTurn(20))
	for _, r := range []*protocol.Exchange{r2, r1, r3} {
		w.responds(r, inTurn(20))
	}
	w.linked(k, nil, "")
	w.served(k, MethodLoop, r1, r2, r3)
}

// Requests that were read in the same turn have led to nothing yet, but to no other request's response either. What
// a turn leads to is not cut short by what ended before it was over.
func TestLoopBatchBesideRequests(t *testing.T) {
	w := newWorld(t)
	r1, r2, r3 := w.reads(inTurn(1)), w.reads(inTurn(2)), w.reads(inTurn(3))
	k := w.calls(inTurn(9))
	w.reads(inTurn(20))
	w.completes(k, inTurn(20))
	w.responds(r2, inTurn(20))
	w.responds(r1, inTurn(20))
	w.waits(k)
	w.responds(r3, inTurn(20))
	w.linked(k, nil, "")
	w.served(k, MethodLoop, r1, r2, r3)
}

// One request asks, and others wait for its answer: who asked is known where it was alone.
func TestLoopWaitsForAnothersCall(t *testing.T) {
	w := newWorld(t)
	r1 := w.reads(inTurn(1))
	k := w.calls(inTurn(1))
	r2, r3 := w.reads(inTurn(2)), w.reads(inTurn(3))
	w.completes(k, inTurn(20))
	for _, r := range []*protocol.Exchange{r1, r2, r3} {
		w.responds(r, inTurn(20))
	}
	w.linked(k, r1, MethodThread)
	w.served(k, MethodLoop, r2, r3)
}

// What was read in the same turn may have led to responses as well.
func TestResponsesThatOthersCaused(t *testing.T) {
	for name, play := range map[string]func(w *world, r []*protocol.Exchange, k, other *protocol.Exchange){
		"another response before, which led to nothing yet": func(w *world, r []*protocol.Exchange, k, other *protocol.Exchange) {
			w.completes(other, inTurn(20))
			w.completes(k, inTurn(20))
			w.responds(r[0], inTurn(20))
			w.responds(r[1], inTurn(20))
		},
		"another response in between": func(w *world, r []*protocol.Exchange, k, other *protocol.Exchange) {
			w.completes(k, inTurn(20))
			w.responds(r[0], inTurn(20))
			w.completes(other, inTurn(20))
			w.responds(r[1], inTurn(20))
		},
		"a later turn": func(w *world, r []*protocol.Exchange, k, other *protocol.Exchange) {
			w.completes(k, inTurn(20))
			w.responds(r[0], inTurn(20))
			w.responds(r[1], inTurn(21))
			w.completes(other, inTurn(22))
		},
		"turns that are not known": func(w *world, r []*protocol.Exchange, k, other *protocol.Exchange) {
			w.completes(k, onThread(1))
			w.responds(r[0], onThread(1))
			w.responds(r[1], onThread(1))
			w.completes(other, onThread(1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r := []*protocol.Exchange{w.reads(inTurn(1)), w.reads(inTurn(2))}
			k, other := w.calls(inTurn(3)), w.calls(inTurn(4))
			play(w, r, k, other)
			w.ladder.Flush()
			assert.Empty(t, w.links[k].Related)
			assert.Empty(t, w.links[other].Related)
		})
	}
}

// flight has four requests ask for the same thing, as singleflight lets one of them do, and
// returns the call and its requests, the one that asks first.
func (w *world) flight(first uint64) (*protocol.Exchange, []*protocol.Exchange) {
	var requests []*protocol.Exchange
	for n := range uint64(4) {
		requests = append(requests, w.reads(onGoroutine(first+n, 1)))
	}
	k := w.calls(onGoroutine(first, 1))
	w.now += int64(3 * time.Millisecond)
	w.completes(k, onGoroutine(7, 1))
	for n := range uint64(3) {
		w.wakes(onGoroutine(first, 1), onGoroutine(first+1+n, 1), 0)
	}
	for n, r := range requests {
		w.responds(r, onGoroutine(first+uint64(n), 1))
	}
	w.ladder.Tick(w.now)
	return k, requests
}

func TestSingleFlight(t *testing.T) {
	w := newWorld(t)
	var k *protocol.Exchange
	var requests []*protocol.Exchange
	for n := range uint64(40) {
		k, requests = w.flight(100 + 10*n)
	}
	assert.True(t, w.ladder.WantsWakes()[1], "many requests seem to wait for another's call")
	require.NotContains(t, w.links, k, "it waits for those that it serves")
	w.now += holdFor
	w.linked(k, requests[0], MethodGoroutine)
	w.served(k, MethodHandoff, requests[1:]...)
}

// Between the result and the response a goroutine may wait for locks, which others hand over that work on
// requests, or read connections; what these had the result of before is over.
func TestLocksTakeNoResultAway(t *testing.T) {
	w := newWorld(t)
	last := w.reads(onGoroutine(50, 1))
	w.ladder.process(1).sharing.wanted = w.now + watchFor
	w.completes(w.calls(onGoroutine(50, 1)), onGoroutine(50, 1))
	w.responds(last, onGoroutine(50, 1))

	leader, other, another := w.reads(onGoroutine(10, 1)), w.reads(onGoroutine(30, 1)), w.reads(onGoroutine(50, 1))
	asked := w.at(onGoroutine(10, 1))
	k := w.begins(onGoroutine(8, 7), &protocol.Exchange{Asked: &asked})
	w.completes(k, onGoroutine(9, 7))
	w.wakes(onGoroutine(10, 1), onGoroutine(30, 1), 0)
	w.wakes(onGoroutine(50, 1), onGoroutine(30, 1), 0)
	w.wakes(onGoroutine(9, 7), onGoroutine(30, 1), 0)
	w.responds(other, onGoroutine(30, 1))
	w.responds(leader, onGoroutine(10, 1))
	w.responds(another, onGoroutine(50, 1))
	w.ladder.Flush()
	assert.Same(t, leader, w.links[k].Parent)
	w.served(k, MethodHandoff, other)
}

// A goroutine that was brought a result may have to wait for a processor before it responds.
func TestResultsThatAreCarriedForLong(t *testing.T) {
	w := newWorld(t)
	leader, slow, stuck := w.reads(onGoroutine(10, 1)), w.reads(onGoroutine(30, 1)), w.reads(onGoroutine(40, 1))
	w.ladder.process(1).sharing.wanted = w.now + watchFor
	k := w.calls(onGoroutine(10, 1))
	w.completes(k, onGoroutine(10, 1))
	w.wakes(onGoroutine(10, 1), onGoroutine(30, 1), 0)
	w.wakes(onGoroutine(10, 1), onGoroutine(40, 1), 0)
	w.responds(leader, onGoroutine(10, 1))
	w.now += 2 * holdFor
	w.waits(k)
	w.responds(slow, onGoroutine(30, 1))
	w.waits(k)
	w.now += carriedFor
	w.ladder.Tick(w.now)
	assert.Same(t, leader, w.links[k].Parent)
	w.served(k, MethodHandoff, slow)
	w.responds(stuck, onGoroutine(40, 1))
	assert.Zero(t, k.State.(*call).carriers)
}

// Who calls again, or makes a call itself, is not served; and wake-ups of others say nothing.
func TestWakeUpsThatServeNothing(t *testing.T) {
	w := newWorld(t)
	leader, caller, other := w.reads(onGoroutine(10, 1)), w.reads(onGoroutine(20, 1)), w.reads(onGoroutine(30, 1))
	w.ladder.process(1).sharing.wanted = w.now + watchFor
	k := w.calls(onGoroutine(10, 1))
	own := w.calls(onGoroutine(20, 1))
	w.completes(k, onGoroutine(7, 1))
	w.completes(own, onGoroutine(7, 1))
	w.wakes(onGoroutine(10, 1), onGoroutine(20, 1), 0)
	w.wakes(onGoroutine(10, 1), onGoroutine(30, 1), 0)
	w.wakes(onGoroutine(99, 1), onGoroutine(30, 1), 0)
	late := w.reads(onGoroutine(40, 1))
	w.wakes(onGoroutine(10, 1), onGoroutine(40, 1), 0)
	for id, r := range map[uint64]*protocol.Exchange{10: leader, 20: caller, 30: other, 40: late} {
		w.responds(r, onGoroutine(id, 1))
	}
	w.ladder.Flush()
	assert.Same(t, leader, w.links[k].Parent)
	assert.Empty(t, w.links[k].Related)
	assert.Empty(t, w.links[own].Related)
}

// Wake-ups cost: where they told nothing they are left alone for long.
func TestWakesAreNotWantedAgainForNothing(t *testing.T) {
	var s sharing
	look := func(now int64) {
		s.answered, s.waited = sampled, sampled
		s.want(now)
	}
	look(1)
	assert.Positive(t, s.wanted)
	look(watchFor + 2)
	assert.Zero(t, s.wanted)
	look(2 * watchFor)
	assert.Zero(t, s.wanted)
	look(watchFor + pauseFor + 3)
	assert.Positive(t, s.wanted)
	s.found = true
	look(3*watchFor + pauseFor)
	assert.Greater(t, s.wanted, 3*watchFor+pauseFor, "they told something")
}

// A loader finds no rhythm in what it does; but the only response that follows on an answer says whose the call was. A loop that
// calls for one request at a time is left to the decoder.
func TestLoopGathersOne(t *testing.T) {
	for name, c := range map[string]struct {
		rounds, responses int
		confidence        float64
		settled           bool
	}{
		"it gathers, and one was answered": {8, 1, 0.4, true},
		"it does not":                      {0, 1, 0.4, false},
		"it gathered once":                 {1, 1, 0.4, false},
		"none was answered":                {8, 0, 0.4, false},
		"several were answered":            {8, 2, 0.4, false},
		"it is known to be another's":      {8, 1, 0.99, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			turn := uint32(0)
			next := func() capture.Task { turn++; return inTurn(turn) }
			batch := func(requests, responses int) (k *protocol.Exchange, rs []*protocol.Exchange) {
				for range requests {
					rs = append(rs, w.reads(next()))
				}
				k = w.calls(next())
				w.completes(k, next())
				for _, r := range rs[:responses] {
					w.responds(r, inTurn(turn))
				}
				return k, rs
			}
			for range c.rounds {
				batch(2, 2)
			}
			k, rs := batch(4, c.responses)
			w.reads(next())
			call, other := k.State.(*call), rs[3].State.(*request)
			call.settle(other, MethodLoop, c.confidence)
			call.runnerUp = other
			call.fansIn()
			assert.Equal(t, c.settled, call.parent == rs[0].State.(*request))
			assert.Equal(t, c.settled || c.responses > 1, call.runnerUp == nil)
		})
	}
}
