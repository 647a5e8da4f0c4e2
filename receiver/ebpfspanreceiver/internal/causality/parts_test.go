package causality

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// answersInPart plays the first part of an answer.
func (w *world) answersInPart(e *protocol.Exchange, task capture.Task) {
	e.Response.First = w.at(task)
	w.ladder.Exchange(e, protocol.ResponseBegan)
}

// endsAnswer plays its last part.
func (w *world) endsAnswer(e *protocol.Exchange, task capture.Task) {
	e.Response.Last, e.Response.Complete = w.at(task), true
	e.End = e.Response.Last
	w.ladder.Exchange(e, protocol.Ended)
}

// A loop writes the first part of each response at once, then calls, and ends the response when the answer to the
// call is there. Between requests that do so there are some that are answered at once.
func TestCallsBetweenPartsOfResponses(t *testing.T) {
	const all, learning = 2000, 200
	w, random := newWorld(t), rand.New(rand.NewPCG(5, 6))
	var away, calls []*protocol.Exchange
	truth := make(map[*protocol.Exchange]*protocol.Exchange)
	turn := uint32(0)
	for len(calls) < all || len(away) > 0 {
		turn++
		w.ladder.Tick(w.now)
		for range random.IntN(5) {
			if len(calls) >= all || len(away) > 64 {
				break
			}
			r := w.reads(inTurn(turn))
			if random.IntN(10) == 0 {
				w.responds(r, inTurn(turn))
				continue
			}
			w.answersInPart(r, inTurn(turn))
			k := w.calls(inTurn(turn))
			truth[k] = r
			calls, away = append(calls, k), append(away, k)
		}
		turn++
		for range min(len(away), random.IntN(5)) {
			i := random.IntN(len(away))
			k := away[i]
			away = append(away[:i], away[i+1:]...)
			w.completes(k, inTurn(turn))
			w.endsAnswer(truth[k], inTurn(turn))
		}
	}
	w.ladder.Flush()
	right := 0
	for _, k := range calls[learning:] {
		switch l := w.links[k]; {
		case l.Parent == truth[k] && l.Confidence >= 0.9:
			right++
		case l.Confidence >= 0.9:
			t.Error("a wrong parent")
		}
	}
	assert.GreaterOrEqual(t, right, (all-learning)*99/100)
}

// Where the calls to each peer become rows of their own, a call that followed on another act on the same token is
// the first on it in its row: else nothing would lead to it any more.
func TestActsBecomeTheFirstOfTheirRow(t *testing.T) {
	var h habits
	k := h.kind(1)
	k.tokens = 100
	begins := k.class(0)
	begins.total, begins.lag[0], begins.lag[1] = 100, 75, 25
	calls := k.class(2)
	calls.total = 80
	h.separate()
	assert.InDelta(t, 75.0, k.class(0).lag[0], 1e-9)
	assert.InDelta(t, 60.0, k.class(2).lag[0], 1e-9)
	assert.InDelta(t, 20.0, k.class(2).lag[1], 1e-9)

	token := &token{acted: 0.9}
	x := &deed{sources: []source{{token: token, share: 1, first: 0.4, again: [maxBlock]float64{0.6}}}}
	x.separate()
	assert.InDelta(t, 1.5, token.acted, 1e-9)
	assert.InDelta(t, 1.0, x.sources[0].first, 1e-9)
}
