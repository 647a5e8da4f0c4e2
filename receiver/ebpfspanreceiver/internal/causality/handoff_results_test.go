package causality

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// A worker that has got a result from a selector wakes it again and again, to have it read more, before it
// starts who answers (java.net.http.HttpClient.sendAsync).
func TestWhoBroughtAResultDoesNotGetItBack(t *testing.T) {
	w := newWorld(t)
	const selector, worker = 5, 11
	r1, r2 := w.reads(onThread(1)), w.reads(onThread(1))
	k1, k2 := w.calls(onThread(worker)), w.calls(onThread(worker+1))
	w.completes(k1, onThread(selector))
	w.wakes(onThread(selector), onThread(worker), 111)
	for range 3 * maxPassed {
		w.wakes(onThread(worker), onThread(selector), 0)
	}
	w.completes(k2, onThread(selector))
	w.wakes(onThread(selector), onThread(worker+1), 112)
	w.wakes(onThread(worker+1), onThread(22), 0)
	w.wakes(onThread(worker), onThread(21), 0)
	w.responds(r2, onThread(22))
	w.responds(r1, onThread(21))
	w.linked(k1, r1, MethodHandoff)
	w.linked(k2, r2, MethodHandoff)
}

// What is passed from task to task for ever is nobody's result any more.
func TestResultsDoNotGoOnForEver(t *testing.T) {
	for hops, claimed := range map[uint32]bool{maxHops: true, maxHops + 1: false} {
		w := newWorld(t)
		r := w.reads(onThread(1))
		k := w.calls(onThread(100))
		w.completes(k, onThread(100))
		for i := range hops - 1 {
			w.wakes(onThread(100+i), onThread(101+i), uint64(200+i))
		}
		w.wakes(onThread(99+hops), onThread(1), 99)
		w.responds(r, onThread(1))
		w.ladder.Tick(w.now)
		w.ladder.Tick(w.now + maxWait.Nanoseconds()/5)
		assert.Equal(t, claimed, w.links[k].Parent != nil, "%d wake-ups", hops)
	}
}

// Full hands let go of what came the longest way.
func TestHandsKeepWhatIsNear(t *testing.T) {
	var w worker
	for hops := range uint8(2) {
		for range maxHeld {
			w.receive([]result{{call: &call{exchange: &protocol.Exchange{}}, hops: 3 - hops}})
		}
	}
	assert.Len(t, w.results, maxHeld)
	for _, r := range w.results {
		assert.Equal(t, uint8(2), r.hops)
	}
	w.receive([]result{{call: &call{exchange: &protocol.Exchange{}}, hops: 4}})
	assert.Len(t, w.results, maxHeld)
	assert.NotEqual(t, uint8(4), w.results[maxHeld-1].hops)
}

// A worker connects, and somebody else uses the connection first: what the worker got meanwhile it still has.
func TestConnectingEndsNothingLater(t *testing.T) {
	w := newWorld(t)
	r1, r2 := w.reads(onThread(1)), w.reads(onThread(2))
	k1 := w.calls(onThread(12))
	connected := w.connects(onThread(11))
	w.completes(k1, onThread(5))
	w.wakes(onThread(5), onThread(11), 111)
	k2 := w.begins(onThread(13), &protocol.Exchange{Connected: connected})
	w.wakes(onThread(11), onThread(1), 1)
	w.responds(r1, onThread(1))
	w.completes(k2, onThread(13))
	w.wakes(onThread(13), onThread(2), 2)
	w.responds(r2, onThread(2))
	w.linked(k1, r1, MethodHandoff)
	w.linked(k2, r2, MethodHandoff)
}

// Who woke a worker before it called is refuted where that request has a call of its own.
func TestForwardViewIsRefutedByAnotherCall(t *testing.T) {
	w := newWorld(t)
	ordered := func(by uint32, r *protocol.Exchange, answers uint32) *protocol.Exchange {
		w.wakes(onThread(by), onThread(11), 11)
		k := w.calls(onThread(11))
		w.completes(k, onThread(11))
		w.wakes(onThread(11), onThread(answers), uint64(answers))
		w.responds(r, onThread(answers))
		return k
	}
	for range 40 {
		r := w.reads(onThread(1))
		w.linked(ordered(1, r, 1), r, MethodHandoff)
	}
	r1, r2 := w.reads(onThread(1)), w.reads(onThread(2))
	own := w.calls(onThread(12))
	w.completes(own, onThread(12))
	w.wakes(onThread(12), onThread(1), 1)
	k := ordered(1, r2, 2)
	w.responds(r1, onThread(1))
	w.linked(own, r1, MethodHandoff)
	w.linked(k, r2, MethodHandoff)
	assert.Greater(t, w.links[k].Confidence, reliable)
}

// Tasks that do nothing for long hold no calls that are decided.
func TestIdleTasksHoldNothing(t *testing.T) {
	w := newWorld(t)
	r := w.reads(onThread(1))
	k := w.calls(onThread(11))
	w.completes(k, onThread(11))
	w.wakes(onThread(11), onThread(1), 1)
	w.responds(r, onThread(1))
	idle := w.ladder.process(1).handoff.worker(actorOf(onThread(11)))
	assert.NotEmpty(t, idle.results)
	w.linked(k, r, MethodHandoff)
	w.ladder.Tick(w.now + 2*maxWait.Nanoseconds())
	assert.Nil(t, idle.results)
}
