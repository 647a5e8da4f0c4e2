package score

import "math"

const (
	// enoughClaims is from how many on their share of right ones says something: with fewer
	// its standard error at a confidence of 0.9 is more than 0.03.
	enoughClaims = 100
	// standardErrors is how many of them an error has to have to be told from chance: with 150 claims of 0.85
	// the share that is right is 0.06 away in one run of twenty if all is as claimed.
	standardErrors = 2
)

// Calibration compares what a method claims with what is right.
type Calibration struct {
	// Claims is how many relations it stated, parents and span links alike.
	Claims int `json:"claims"`
	// Confidence is their mean confidence, Right the share of right ones.
	Confidence float64 `json:"confidence"`
	Right      float64 `json:"right"`
	// Error is the distance of the two, and Chance up to which distance that may be chance.
	Error  float64 `json:"error"`
	Chance float64 `json:"chance"`
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

// calibrate returns each method's calibration, and the largest error of those with enough claims that is no chance.
func (c claims) calibrate() (all map[string]Calibration, largest float64) {
	all = make(map[string]Calibration)
	for method, t := range c {
		mean := t.confidence / float64(t.count)
		right := ratio(t.right, t.count)
		chance := standardErrors * math.Sqrt(mean*(1-mean)/float64(t.count))
		all[method] = Calibration{t.count, mean, right, math.Abs(mean - right), chance}
		if t.count >= enoughClaims && all[method].Error > chance {
			largest = max(largest, all[method].Error)
		}
	}
	return all, largest
}
