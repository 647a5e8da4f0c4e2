package causality

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// both plays a request that has two calls made by workers at once: who answers waits for the first
// one, and for the second one where that takes longer.
type both struct {
	request, first, second *protocol.Exchange
	handler                uint32
}

func (w *world) asksBoth(handler, worker uint32) both {
	b := both{request: w.reads(onThread(handler)), handler: handler}
	b.first = w.calls(onThread(worker))
	b.second = w.begins(onThread(worker+1), &protocol.Exchange{Name: "second"})
	return b
}

func (w *world) answersBoth(b both, worker uint32, waits bool) {
	if !waits {
		w.completes(b.second, onThread(worker+1))
	}
	w.completes(b.first, onThread(worker))
	w.wakes(onThread(worker), onThread(b.handler), uint64(b.handler))
	if waits {
		w.completes(b.second, onThread(worker+1))
		w.wakes(onThread(worker+1), onThread(b.handler), uint64(b.handler))
	}
	w.responds(b.request, onThread(b.handler))
}

// learnsBoth plays requests one after the other, of which half wait for both results.
func (w *world) learnsBoth() {
	w.t.Helper()
	for i := range 4 * enoughPairs {
		b := w.asksBoth(1, 11)
		w.answersBoth(b, 11, i%2 == 0)
		w.linked(b.first, b.request, MethodHandoff)
		if i%2 == 0 {
			w.linked(b.second, b.request, MethodHandoff)
		}
	}
}

// Which of the second calls is the first request's cannot be told where one has overtaken the other.
func TestOrderThatIsDisturbedTellsLittle(t *testing.T) {
	for name, overtakes := range map[string]func(*world) (b1, b2 both){
		"the first job": func(w *world) (b1, b2 both) {
			b1 = both{request: w.reads(onThread(1)), handler: 1, first: w.calls(onThread(11))}
			b2 = both{request: w.reads(onThread(2)), handler: 2, first: w.calls(onThread(21))}
			b2.second = w.begins(onThread(22), &protocol.Exchange{Name: "second"})
			b1.second = w.begins(onThread(12), &protocol.Exchange{Name: "second"})
			return b1, b2
		},
		"the second job": func(w *world) (b1, b2 both) {
			b1 = both{request: w.reads(onThread(1)), handler: 1, first: w.calls(onThread(11))}
			b2 = both{request: w.reads(onThread(2)), handler: 2}
			b2.second = w.begins(onThread(22), &protocol.Exchange{Name: "second"})
			b1.second = w.begins(onThread(12), &protocol.Exchange{Name: "second"})
			b2.first = w.calls(onThread(21))
			return b1, b2
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.learnsBoth()
			b1, b2 := overtakes(w)
			w.completes(b1.second, onThread(12))
			w.completes(b2.second, onThread(22))
			for _, b := range []both{b1, b2} {
				w.completes(b.first, onThread(10*b.handler+1))
				w.wakes(onThread(10*b.handler+1), onThread(b.handler), uint64(b.handler))
			}
			w.responds(b1.request, onThread(1))
			w.responds(b2.request, onThread(2))
			for _, b := range []both{b1, b2} {
				w.linked(b.first, b.request, MethodHandoff)
				assert.Less(t, w.links[b.second].Confidence, reliable)
			}
		})
	}
}

// Whose result is waited for first, and was there all the same, had its request held up: the order tells nothing.
func TestOrderOfCallsThatAreHardlyEverLostTellsLittle(t *testing.T) {
	w := newWorld(t)
	w.learnsBoth()
	b1, b2 := both{request: w.reads(onThread(1)), handler: 1}, both{request: w.reads(onThread(2)), handler: 2}
	for _, b := range []*both{&b1, &b2} {
		b.first = w.calls(onThread(10*b.handler + 1))
		b.second = w.begins(onThread(10*b.handler+2), &protocol.Exchange{Name: "second"})
	}
	w.completes(b1.first, onThread(11))
	w.completes(b2.first, onThread(21))
	for _, b := range []both{b1, b2} {
		w.completes(b.second, onThread(10*b.handler+2))
		w.wakes(onThread(10*b.handler+2), onThread(b.handler), uint64(b.handler))
	}
	w.responds(b1.request, onThread(1))
	w.responds(b2.request, onThread(2))
	for _, b := range []both{b1, b2} {
		w.linked(b.second, b.request, MethodHandoff)
		assert.InDelta(t, handoffDoubt, w.links[b.first].Confidence, 0)
	}
}

// The second call was there before anybody waited for it: it is the one that began next to the
// first.
func TestPlaceAmongTheCallsTells(t *testing.T) {
	w := newWorld(t)
	w.learnsBoth()
	b1, b2, b3 := w.asksBoth(1, 11), w.asksBoth(2, 21), w.asksBoth(3, 31)
	w.answersBoth(b3, 31, false)
	w.answersBoth(b1, 11, false)
	w.answersBoth(b2, 21, true)
	for _, b := range []both{b1, b2, b3} {
		w.linked(b.first, b.request, MethodHandoff)
		w.linked(b.second, b.request, MethodHandoff)
		assert.Greater(t, w.links[b.second].Confidence, reliable)
	}
}

// Where the order was never the same it tells little.
func TestPlaceWithoutHabitTellsLittle(t *testing.T) {
	w := newWorld(t)
	for i := range 2 * enoughPairs {
		r1, r2 := w.reads(onThread(1)), w.reads(onThread(2))
		a1, a2 := w.calls(onThread(11)), w.calls(onThread(21))
		s1, s2 := r1, r2
		if i%2 == 0 {
			s1, s2 = r2, r1
		}
		b1 := both{request: s1, handler: 1, second: w.begins(onThread(12), &protocol.Exchange{Name: "second"})}
		b2 := both{request: s2, handler: 2, second: w.begins(onThread(22), &protocol.Exchange{Name: "second"})}
		if i%2 == 0 {
			b1.handler, b2.handler = 2, 1
		}
		w.completes(a1, onThread(11))
		w.wakes(onThread(11), onThread(1), 1)
		w.completes(a2, onThread(21))
		w.wakes(onThread(21), onThread(2), 2)
		w.completes(b1.second, onThread(12))
		w.wakes(onThread(12), onThread(b1.handler), uint64(b1.handler))
		w.completes(b2.second, onThread(22))
		w.wakes(onThread(22), onThread(b2.handler), uint64(b2.handler))
		w.responds(r1, onThread(1))
		w.responds(r2, onThread(2))
		w.linked(a1, r1, MethodHandoff)
	}
	r1, r2 := w.reads(onThread(1)), w.reads(onThread(2))
	a1, a2 := w.calls(onThread(11)), w.calls(onThread(21))
	s1 := w.begins(onThread(12), &protocol.Exchange{Name: "second"})
	s2 := w.begins(onThread(22), &protocol.Exchange{Name: "second"})
	w.completes(s1, onThread(12))
	w.completes(s2, onThread(22))
	w.completes(a1, onThread(11))
	w.wakes(onThread(11), onThread(1), 1)
	w.completes(a2, onThread(21))
	w.wakes(onThread(21), onThread(2), 2)
	w.responds(r1, onThread(1))
	w.responds(r2, onThread(2))
	w.linked(a1, r1, MethodHandoff)
	for _, s := range []*protocol.Exchange{s1, s2} {
		assert.Less(t, w.links[s].Confidence, reliable)
	}
}

func TestBalanceMakesAnAssignment(t *testing.T) {
	rows := [][]share{
		{{weight: 0.5, column: 0}, {weight: 0.4, column: 1}},
		{{weight: 0.9, column: 0}},
		{},
	}
	balance(rows, 2)
	assert.InDelta(t, 0, rows[0][0].weight, 0.1)
	assert.InDelta(t, 1, rows[0][1].weight, 0.1)
	assert.InDelta(t, 1, rows[1][0].weight, 0.1)
}
