package causality

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// A request that stays open for long makes no child of all that happens meanwhile; the
// response to a call of its own wakes it up.
func TestLongPollingAttractsNothing(t *testing.T) {
	w := newWorld(t)
	r := w.reads(inTurn(1))
	own := w.calls(inTurn(1))
	w.now += 3 * dormantAfter
	w.completes(own, inTurn(50))
	next := w.made(inTurn(50))
	w.now += 2 * dormantAfter
	other := w.made(inTurn(90))
	w.responds(r, inTurn(99))
	w.linked(own, r, MethodThread)
	w.linked(next, r, MethodThread)
	assert.InDelta(t, threadConfidence, w.links[next].Confidence, 0)
	w.linked(other, r, MethodThread)
	assert.InDelta(t, dormantConfidence, w.links[other].Confidence, 0)
}

// A thread that works on nothing else may take its time.
func TestThreadsTakeTheirTime(t *testing.T) {
	w := newWorld(t)
	r := w.reads(onThread(2))
	w.now += 3 * dormantAfter
	k := w.made(onThread(2))
	w.linked(k, r, MethodThread)
	assert.InDelta(t, threadConfidence, w.links[k].Confidence, 0)
}

// Beside a request that only stays open the others are as sure as without.
func TestRequestsBesideLongPolling(t *testing.T) {
	w := newWorld(t)
	poll := w.reads(inTurn(1))
	w.now += 2 * dormantAfter
	calls := make(map[*protocol.Exchange]*protocol.Exchange)
	for turn := uint32(10); turn < 100; turn += 4 {
		r := w.reads(inTurn(turn))
		k := w.calls(inTurn(turn))
		calls[k] = r
		w.completes(k, inTurn(turn+2))
		w.responds(r, inTurn(turn+2))
	}
	w.responds(poll, inTurn(200))
	for k, r := range calls {
		w.linked(k, r, MethodThread)
		assert.GreaterOrEqual(t, w.links[k].Confidence, 0.9)
	}
}

// While it is not known whose calls are, a request that got nothing for long may be the one
// that was just answered.
func TestSlowCallsAreNotTakenFromWhoWaits(t *testing.T) {
	w := newWorld(t)
	slow, other := w.reads(inTurn(1)), w.reads(inTurn(1))
	k1, k2 := w.calls(inTurn(1)), w.calls(inTurn(1))
	w.now += 2 * dormantAfter
	w.completes(k2, inTurn(30))
	w.responds(other, inTurn(30))
	late := w.reads(inTurn(40))
	w.completes(k1, inTurn(40))
	w.calls(inTurn(40))
	next := w.made(inTurn(40))
	w.responds(slow, inTurn(41))
	w.responds(late, inTurn(42))
	w.ladder.Flush()
	if l := w.links[next]; l.Confidence >= 0.9 {
		assert.Same(t, slow, l.Parent)
	}
}
