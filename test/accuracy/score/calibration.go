package score

import "math"

// enoughClaims is from how many on their share of right ones is told from chance: with fewer
// its standard error at a confidence of 0.9 is more than 0.03.
const enoughClaims = 100

// Calibration compares what a method claims with what is right.
type Calibration struct {
	// Claims is how many relations it stated, parents and span links alike.
	Claims int `json:"claims"`
	// Confidence is their mean confidence, Right the share of right ones.
	Confidence float64 `json:"confidence"`
	Right      float64 `json:"right"`
	// Error is the distance of the two.
	Error float64 `json:"error"`
}

// claims are the relations that each method stated.
type claims map[string]*tally

type tally struct {
	count, right int
	confidence   float64
}

func (c claims) add(method string, confidence float64, right bool) {
	t := c[method]
	if t == nil {
		t = new(tally)
		c[method] = t
	}
	t.count++
	t.confidence += confidence
	if right {
		t.right++
	}
}

// calibrate returns each method's calibration, and the largest error of those with enough claims.
func (c claims) calibrate() (all map[string]Calibration, largest float64) {
	all = make(map[string]Calibration)
	for method, t := range c {
		mean := t.confidence / float64(t.count)
		right := ratio(t.right, t.count)
		all[method] = Calibration{t.count, mean, right, math.Abs(mean - right)}
		if t.count >= enoughClaims {
			largest = max(largest, all[method].Error)
		}
	}
	return all, largest
}
