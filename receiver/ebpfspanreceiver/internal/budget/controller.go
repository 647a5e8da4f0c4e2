// Package budget keeps what capture costs within a budget, and what is captured within
// what can be read: it measures both and finds the part of the requests that can be afforded.
package budget

import "math"

const (
	// MinRatio is the smallest part of the requests that is kept.
	MinRatio = 1.0 / 1024
	// minReadRatio is that where more comes than can be read. If events of requests that
	// cannot be left out in the kernel fill the buffer, to keep fewer does not help.
	minReadRatio = 1.0 / 32
	// high and low are the bounds of the cost, relative to the budget, between which
	// nothing is changed; aim is what a change is meant to lead to.
	high, low, aim = 1.05, 0.85, 0.95
	// urgent is a cost at which one measurement suffices to act.
	urgent = 1.5
	// enough is how many measurements it takes otherwise.
	enough = 3
	// maxDecrease and maxIncrease bound what one change multiplies the ratio by.
	maxDecrease, maxIncrease = 1.0 / 8, 2.0
	// settle is how many measurements after a change do not count: it comes into
	// force in steps (package thin), and the cost of what was under way is still there.
	settle = 3
	// recent is the weight of the last measurement in the average.
	recent = 0.5
	// memoryStep is what the ratio is multiplied by while memory is above its budget,
	// and memorySettle how many measurements the garbage collection is given.
	memoryStep, memorySettle = 0.5, 15
	// memoryTight is the use of memory above which the ratio does not grow.
	memoryTight = 0.9
)

// Controller finds the ratio of requests to keep, from one measurement a second. Its
// decrease is as large as the excess, because a request that is left out still costs
// something; its increase never leads above the budget by itself, because keeping n
// times as many requests costs n times as much at the most.
type Controller struct {
	ratio, least float64
	// average is that of the pressure since the last change, over seen measurements.
	average float64
	seen    int
	// skip is the number of measurements that do not count yet.
	skip int
}

// NewController returns a controller that keeps everything, and never less than a least part.
func NewController(least float64) *Controller { return &Controller{ratio: 1, least: least} }

// Ratio returns the part of the requests that is to be kept.
func (c *Controller) Ratio() float64 { return c.ratio }

// Observe takes what is used of CPU time (or of what can be read) and memory, as parts of
// their budgets, and returns the ratio from now on. A part that has no budget is 0.
func (c *Controller) Observe(cpu, memory float64) float64 {
	if c.skip > 0 {
		c.skip--
		return c.ratio
	}
	c.seen++
	if c.seen == 1 {
		c.average = cpu
	} else {
		c.average += recent * (cpu - c.average)
	}
	switch {
	case memory > 1:
		c.change(memoryStep, memorySettle)
	case c.average > urgent, c.average > high && c.seen >= enough:
		c.change(max(maxDecrease, correction(c.average)), settle)
	case c.average < low && c.seen >= enough && memory < memoryTight:
		c.change(min(maxIncrease, aim/c.average), settle)
	}
	return c.ratio
}

// correction is what to multiply the ratio by for the cost to become aim. A part of
// the cost does not depend on the ratio, the more so the smaller the ratio is: the
// exponent makes up for that, and lets the cost swing by half an error at the most
// where it does depend.
func correction(cost float64) float64 {
	if cost > 2 {
		return aim / cost
	}
	return math.Pow(aim/cost, 1.5)
}

func (c *Controller) change(factor float64, skip int) {
	ratio := min(1, max(c.least, c.ratio*factor))
	if ratio == c.ratio {
		return
	}
	c.ratio, c.seen, c.skip = ratio, 0, skip
}
