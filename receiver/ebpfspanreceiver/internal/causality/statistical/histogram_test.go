package statistical

import (
	"math"
	"testing"
	"time"
)

func TestPlace(t *testing.T) {
	last := -1.0
	for _, d := range []time.Duration{-1, 0, us, 10 * us, 100 * us, ms, 10 * ms, time.Second, time.Minute, time.Hour} {
		p := place(d.Nanoseconds())
		if p < last || p < 0 || p > bins-1 {
			t.Errorf("place(%v) = %v, after %v", d, p, last)
		}
		last = p
	}
}

func TestHistogramTakesBack(t *testing.T) {
	var h histogram
	h.add(3.25, 2)
	h.add(bins-1, 1)
	h.add(3.25, -2)
	if h.count != 1 || h.bins[3] != 0 || h.bins[4] != 0 || h.bins[bins-1] != 1 {
		t.Errorf("count %v, bins %v", h.count, h.bins)
	}
}

func TestSmoothKeepsTheSum(t *testing.T) {
	for _, n := range []float64{1, 100, 10_000} {
		var h histogram
		h.add(0, n)
		h.add(40, n)
		h.add(bins-1, n)
		var share [bins]float64
		h.smooth(&share)
		sum := 0.0
		for _, s := range share {
			sum += s
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Errorf("with %v: sum %v", n, sum)
		}
	}
	var share [bins]float64
	(&histogram{}).smooth(&share)
	if share != [bins]float64{} {
		t.Error("an empty histogram has shares")
	}
}

// The densities of all acts in a situation sum up to about 1.
func TestHabitIsAProbability(t *testing.T) {
	m := NewModel()
	s := situation{endpoint: m.kind("GET /")}
	for i := range 300 {
		m.learn(observation{situation: s, kind: m.kind("db"), place: float64(30 + i%5), weight: 1}, 1)
		m.learn(observation{situation: s, kind: ending, place: float64(60 + i%3), weight: 0.5}, 1)
	}
	h := m.habit(s)
	sum := 0.0
	for _, k := range []kind{m.kind("db"), ending} {
		for i := range bins {
			sum += math.Exp(h.log(k, float64(i)) + logWidth[i])
		}
	}
	if sum < 0.97 || sum > 1.03 {
		t.Errorf("the probabilities sum up to %v", sum)
	}
	if h.log(m.kind("db"), 32) < h.log(m.kind("db"), 60)+3 {
		t.Error("a delay that was seen is not likelier than one that was not")
	}
}
