package statistical

import "math"

const (
	// grades is the number of steps of confidence that are told apart, by its
	// log-odds from 0 to 10 in units of one; what is below 0.5 is the first.
	grades = 11
	// trust is how many audits it takes to believe them as much as the method itself.
	trust = 20.0
	// maxAudits bounds the memory of each grade, so that it follows a program that changes.
	maxAudits = 1024
)

// calibration compares confidence with what stronger evidence said.
type calibration [grades]struct {
	count, right, claimed float64
}

// grade is the step of a confidence.
func grade(confidence float64) int {
	odds := math.Log(confidence / max(1-confidence, 1e-9))
	return int(min(max(odds+1, 0), grades-1))
}

// audit takes the confidence of a decision whose truth is known.
func (c *calibration) audit(confidence float64, right bool) {
	g := &c[grade(confidence)]
	if g.count >= maxAudits {
		g.count, g.right, g.claimed = g.count/2, g.right/2, g.claimed/2
	}
	g.count++
	g.claimed += confidence
	if right {
		g.right++
	}
}

// calibrated moves a confidence as far as the audits of its grade were better or
// worse than was claimed.
func (c *calibration) calibrated(confidence float64) float64 {
	g := &c[grade(confidence)]
	return min(max(confidence+(g.right-g.claimed)/(g.count+trust), 0), 1)
}
