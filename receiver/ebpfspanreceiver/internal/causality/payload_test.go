package causality

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// marked plays the arrival of a request that carries ids.
func (w *world) marked(task capture.Task, marks ...uint64) *protocol.Exchange {
	e := &protocol.Exchange{Side: protocol.Server, Marks: marks}
	e.Request.First = w.at(task)
	w.ladder.Exchange(e, protocol.RequestBegan)
	e.Request.Last = w.at(task)
	w.ladder.Exchange(e, protocol.RequestRead)
	return e
}

// carries plays a call with ids: they are known once its head was written.
func (w *world) carries(task capture.Task, marks ...uint64) *protocol.Exchange {
	k := w.calls(task)
	k.Marks = marks
	w.ladder.Exchange(k, protocol.RequestRead)
	return k
}

// A proxy passes the id on, in whatever order its threads and loops act.
func TestCallCarriesTheIDOfItsRequest(t *testing.T) {
	for name, task := range map[string]capture.Task{
		"event loop": onThread(1), "another thread": onThread(2), "goroutine": onGoroutine(7, 6),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r1, r2, r3 := w.marked(onThread(1), 11, 1), w.marked(onThread(1), 12, 1), w.reads(onThread(1))
			k2, k1 := w.carries(task, 12, 1), w.carries(task, 11, 1)
			w.completes(k1, task)
			w.completes(k2, task)
			w.linked(k1, r1, MethodPayload)
			w.linked(k2, r2, MethodPayload)
			assert.InDelta(t, 1, w.links[k1].Confidence, 0)
			for _, r := range []*protocol.Exchange{r3, r2, r1} {
				w.responds(r, onThread(1))
			}
		})
	}
}

// What payloads tell helps a loop with what they do not.
func TestPayloadTeachesTheLoop(t *testing.T) {
	w := newWorld(t)
	r1, r2 := w.marked(onThread(1), 11), w.reads(onThread(1))
	k2, k1 := w.calls(onThread(1)), w.carries(onThread(1), 11)
	w.completes(k1, onThread(1))
	w.responds(r1, onThread(1))
	w.completes(k2, onThread(1))
	w.responds(r2, onThread(1))
	w.linked(k1, r1, MethodPayload)
	w.linked(k2, r2, MethodLoop)
}

// A trace that has several requests open only says which of them it may be.
func TestSharedTraceNarrows(t *testing.T) {
	w := newWorld(t)
	r1, r2, r3 := w.marked(onThread(1), 1), w.marked(onThread(2), 1), w.marked(onThread(3), 2)
	right, strange := w.carries(onThread(2), 21, 1), w.carries(onThread(3), 22, 1)
	w.completes(right, onThread(2))
	w.completes(strange, onThread(3))
	w.linked(right, r2, MethodThread)
	w.linked(strange, nil, "")
	for _, r := range []*protocol.Exchange{r3, r2, r1} {
		w.responds(r, onThread(1))
	}
}

// A request that was answered has its trace's id no more for itself: what its goroutine did
// after the response is not the next one's.
func TestSpentMarks(t *testing.T) {
	w := newWorld(t)
	r1 := w.marked(onGoroutine(10, 1), 1)
	w.responds(r1, onGoroutine(10, 1))
	r2 := w.marked(onGoroutine(20, 1), 1)
	background, own := w.carries(onGoroutine(10, 1), 31, 1), w.carries(onGoroutine(20, 1), 32, 1)
	w.completes(background, onGoroutine(10, 1))
	w.completes(own, onGoroutine(20, 1))
	w.followed(background, r1)
	w.linked(own, r2, MethodGoroutine)
	w.responds(r2, onGoroutine(20, 1))
	p := &w.ladder.process(1).payload
	assert.Empty(t, p.open)
	for mark := range uint64(3 * maxSpent) {
		p.spend(mark, nil)
	}
	assert.LessOrEqual(t, len(p.spent)+len(p.older), 2*maxSpent)
	_, first := p.answered(1)
	_, last := p.answered(3*maxSpent - 1)
	assert.False(t, first)
	assert.True(t, last)
	w.ladder.Tick(w.now + afterFor + 1)
	w.ladder.Tick(w.now + 3*afterFor)
	assert.Empty(t, p.spent)
	assert.Empty(t, p.older)
}

// What carries the id of an answered request is not that of the only one that is open.
func TestCallCarriesTheIDOfAnAnsweredRequest(t *testing.T) {
	w := newWorld(t)
	r1 := w.marked(onThread(1), 11, 1)
	w.responds(r1, onThread(1))
	r2 := w.marked(onThread(1), 12, 2)
	k := w.carries(onThread(1), 13, 1)
	w.completes(k, onThread(1))
	w.responds(r2, onThread(1))
	w.followed(k, r1)
}

// Among requests that are left out one may have the same id.
func TestThinnedPayloadDecidesNothing(t *testing.T) {
	w := newWorld(t)
	r1, r2 := w.marked(onThread(1), 1), w.marked(onThread(1), 2)
	k := w.carries(capture.Task{PID: 1, TID: 1, Thinned: true}, 2)
	w.completes(k, onThread(1))
	w.responds(r2, onThread(1))
	w.responds(r1, onThread(1))
	w.linked(k, nil, "")
}
