package causality

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// handsOverByWay plays a request whose worker's result comes to it over so many wake-ups.
func (w *world) handsOverByWay(hops uint32) Link {
	r := w.reads(onThread(1))
	k := w.calls(onThread(100))
	w.completes(k, onThread(100))
	for i := range hops - 1 {
		w.wakes(onThread(100+i), onThread(101+i), uint64(200+i))
	}
	w.wakes(onThread(99+hops), onThread(1), 1)
	w.responds(r, onThread(1))
	w.linked(k, r, MethodHandoff)
	return w.links[k]
}

// A program hands its results over in one way or two: a claim that came by another one may be chance.
func TestClaimsByUnusualWaysAreDoubtful(t *testing.T) {
	w := newWorld(t)
	assert.GreaterOrEqual(t, w.handsOverByWay(2).Confidence, 0.9, "no way is usual yet")
	w = newWorld(t)
	for range 400 {
		w.handsOverByWay(1)
	}
	assert.Greater(t, w.handsOverByWay(1).Confidence, handoffBack)
	assert.Less(t, w.handsOverByWay(3).Confidence, reliable)
	for range 40 {
		w.handsOverByWay(2)
	}
	assert.Greater(t, w.handsOverByWay(2).Confidence, reliable, "this way is usual, too")
}

func TestWaysAreForgotten(t *testing.T) {
	var s ways
	for range 3 * maxWays {
		s.add(&claimed{hops: 1})
	}
	for range 3 * maxWays {
		s.add(&claimed{hops: maxHops + 3, late: 2})
	}
	assert.LessOrEqual(t, s.total, float64(maxWays))
	assert.Less(t, s.confirm(&claimed{hops: 1}, handoffBack), s.confirm(&claimed{hops: maxHops, late: 1}, handoffBack))
}

// A wake-up whose futex has hardly been seen makes a claim; until that is settled it turns out to be a lock's.
func TestClaimsByWhatTurnsOutToBeALock(t *testing.T) {
	for turnsOut := range 2 {
		w := newWorld(t)
		const lock = 7
		r1, r2 := w.reads(onThread(1)), w.reads(onThread(2))
		k := w.calls(onThread(11))
		w.completes(k, onThread(11))
		w.wakes(onThread(11), onThread(1), lock)
		w.responds(r1, onThread(1))
		w.waits(k)
		for i := range uint32(20 * turnsOut) {
			w.wakes(onThread(20+i%8), onThread(20+(i+1)%8), lock)
		}
		w.responds(r2, onThread(2))
		if turnsOut > 0 {
			w.linked(k, nil, "")
		} else {
			w.linked(k, r1, MethodHandoff)
		}
	}
}
