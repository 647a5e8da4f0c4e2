package budget

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// plant is capture under a load: its cost is fixed for each request, and more for
// each that is kept. A change of the ratio takes effect late.
type plant struct {
	// load is the cost of full capture, relative to the budget, and fixed the part of
	// it that thinning does not save.
	load, fixed float64
	// noise is the relative error of a measurement.
	noise  float64
	random *rand.Rand
	// ratios are those of the last seconds.
	ratios []float64
}

const delay = 2

func newPlant(load, fixed, noise float64) *plant {
	p := &plant{load: load, fixed: fixed, noise: noise, random: rand.New(rand.NewPCG(1, 2))}
	for range delay + 1 {
		p.ratios = append(p.ratios, 1)
	}
	return p
}

func (p *plant) cost() float64 { return p.load * (p.fixed + (1-p.fixed)*p.ratios[0]) }

// run lets some seconds go by and returns the mean of the true costs of them.
func (p *plant) run(c *Controller, seconds int) (mean float64) {
	for range seconds {
		mean += p.cost() / float64(seconds)
		measured := p.cost() * (1 + p.noise*(2*p.random.Float64()-1))
		p.ratios = append(p.ratios[1:], c.Observe(measured, 0))
	}
	return mean
}

func TestHoldsTheBudgetUnderFiveTimesTheLoad(t *testing.T) {
	for _, fixed := range []float64{0, 0.05, 0.1, 0.15} {
		for _, noise := range []float64{0, 0.1, 0.25} {
			p, c := newPlant(5, fixed, noise), NewController(MinRatio)
			p.run(c, 60)
			assert.InDelta(t, 1, p.run(c, 300), 0.2, "fixed %v noise %v", fixed, noise)
			if noise == 0 {
				before := c.Ratio()
				for range 100 {
					p.run(c, 1)
					assert.InDelta(t, 1, p.cost(), 0.2, "fixed %v", fixed)
				}
				assert.InDelta(t, before, c.Ratio(), 1e-9, "and stays, fixed %v", fixed)
			}
		}
	}
}

func TestIsQuickToLeave(t *testing.T) {
	p, c := newPlant(5, 0.1, 0), NewController(MinRatio)
	p.run(c, 15)
	assert.Less(t, p.run(c, 5), 1.3)
}

func TestKeepsEverythingAgainAfterTheLoad(t *testing.T) {
	p, c := newPlant(5, 0.1, 0.1), NewController(MinRatio)
	p.run(c, 60)
	require.Less(t, c.Ratio(), 0.2)
	p.load = 0.5
	p.run(c, 60)
	assert.InDelta(t, 1, c.Ratio(), 0)
	p.load = 0
	p.run(c, 10)
	assert.InDelta(t, 1, c.Ratio(), 0)
}

func TestFollowsALoadThatChanges(t *testing.T) {
	p, c := newPlant(2, 0.1, 0.1), NewController(MinRatio)
	for _, load := range []float64{2, 4, 1.5, 3, 5, 1.2, 2.5} {
		p.load = load
		p.run(c, 60)
		assert.InDelta(t, 1, p.run(c, 60), 0.2, load)
	}
}

func TestWithinTheBudgetNothingIsThinned(t *testing.T) {
	p, c := newPlant(0.95, 0.1, 0.05), NewController(MinRatio)
	p.run(c, 300)
	assert.InDelta(t, 1, c.Ratio(), 0)
}

func TestABudgetBelowTheFixedCostIsNoReasonToKeepNothing(t *testing.T) {
	p, c := newPlant(10, 0.5, 0), NewController(MinRatio)
	p.run(c, 300)
	assert.InDelta(t, MinRatio, c.Ratio(), 0)
}

func TestMemoryAboveItsBudgetThins(t *testing.T) {
	c := NewController(MinRatio)
	for range 100 {
		c.Observe(0, 0.95)
	}
	assert.InDelta(t, 1, c.Ratio(), 0, "below its budget it does not")
	c.Observe(0, 1.1)
	assert.InDelta(t, 0.5, c.Ratio(), 0)
	for range memorySettle {
		c.Observe(0, 1.1)
	}
	assert.InDelta(t, 0.5, c.Ratio(), 0, "the garbage collection is given time")
	c.Observe(0, 1.1)
	assert.InDelta(t, 0.25, c.Ratio(), 0)
	for range 100 {
		c.Observe(0, 0.95)
	}
	assert.InDelta(t, 0.25, c.Ratio(), 0, "no more requests while it is tight")
	for range 100 {
		c.Observe(0, 0.5)
	}
	assert.InDelta(t, 1, c.Ratio(), 0)
}
