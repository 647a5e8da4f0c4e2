package alignment

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

// plain goes through all ways of giving each goroutine a request, with the same prices.
type plain struct {
	skips   []float64
	further float64
	weights [][]float64
	later   [][]float64
	swapped []float64
	owners  [][]float64
}

func (p *plain) give(owner []int, last int, product float64) {
	i := len(owner)
	if i == len(p.weights) {
		taken := make([]bool, len(p.skips))
		for _, j := range owner {
			taken[j] = true
		}
		for j, skip := range p.skips {
			if !taken[j] {
				product *= skip
			}
		}
		for n, j := range owner {
			p.owners[n][j] += product
		}
		return
	}
	for j := range p.skips {
		price := p.weights[i][j]
		if j > last {
			price = p.later[i][j]
		}
		switch taken := slices.Contains(owner, j); {
		case j > last:
			price *= 1 - p.further
		case j == last:
			price *= p.further
		case taken:
			price *= p.further * p.swapped[i]
		default:
			price *= (1 - p.further) * overtaking * p.swapped[i]
		}
		p.give(append(owner[:i:i], j), max(j, last), product*price)
	}
}

// All of four goroutines and five requests is less than the window, so nothing is left out.
func TestSameAsAllWays(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		p := plain{further: random.Float64() / 2}
		for range 5 {
			p.skips = append(p.skips, 0.01+random.Float64()*0.99)
		}
		for range 4 {
			w, later := make([]float64, 5), make([]float64, 5)
			for j := range w {
				w[j], later[j] = 0.01+random.Float64(), 0.01+random.Float64()
			}
			p.weights, p.later, p.swapped = append(p.weights, w), append(p.later, later), append(p.swapped, 0.1+random.Float64()*0.9)
			p.owners = append(p.owners, make([]float64, 5))
		}
		p.give(nil, -1, 1)
		a := New(p.skips, p.further)
		for i, w := range p.weights {
			a.Take(w, p.later[i], p.swapped[i])
		}
		for i, owner := range a.Owners() {
			Normalise(p.owners[i])
			assert.InDeltaSlice(t, p.owners[i], owner, 1e-3)
		}
	}
}

// Requests that have long been answered have a goroutine each; three of five have called.
func TestOrderDecides(t *testing.T) {
	a := New([]float64{0.01, 0.01, 0.01, 0.9, 0.9}, 0.01)
	alike := []float64{1, 1, 1, 1, 1}
	for range 3 {
		a.Take(alike, alike, 0)
	}
	for i, owner := range a.Owners() {
		assert.Greater(t, owner[i], 0.9, "goroutine %d", i)
	}
}

// The order of two goroutines is not known, and the second one cannot be of the later request.
func TestOvertaking(t *testing.T) {
	a := New([]float64{0.01, 0.01}, 0.01)
	a.Take([]float64{1, 1}, []float64{1, 1}, 1)
	a.Take([]float64{1, 0}, []float64{1, 0}, 1)
	owners := a.Owners()
	assert.Greater(t, owners[0][1], 0.9)
	assert.InDelta(t, 1, owners[1][0], 1e-9)
}

// A goroutine that can only be of a request before the one that goroutines before it are of surely is not lost.
func TestOutOfOrder(t *testing.T) {
	a := New([]float64{0.5, 0.5}, 0.1)
	a.Take([]float64{0, 1}, []float64{0, 1}, 1)
	a.Take([]float64{1, 0}, []float64{1, 0}, 0)
	assert.Equal(t, [][]float64{{0, 1}, {1, 0}}, a.Owners())
}

// Many goroutines and requests: what is unlikely is left out, and the rest is right.
func TestLongRows(t *testing.T) {
	const n = 64
	skips, weights := make([]float64, n), make([]float64, n)
	for j := range skips {
		skips[j], weights[j] = 0.01, 1
	}
	a := New(skips, 0.01)
	for range n {
		a.Take(weights, weights, 0.01)
	}
	for i, owner := range a.Owners() {
		assert.Equal(t, slices.Max(owner), owner[i], "goroutine %d", i)
		assert.Greater(t, owner[i], 0.2)
	}
}
