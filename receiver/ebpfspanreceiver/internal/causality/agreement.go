package causality

import "math"

const (
	// backwardConfidence is that of the backward view where the forward one differs.
	backwardConfidence = 0.95
	// priorRight and priorTotal stand for what is believed of the forward view
	// before anything was measured in a process.
	priorRight, priorTotal = 3, 4
	// maxAgreement bounds the memory of the measurement, so that it follows a
	// program whose habits change.
	maxAgreement = 1024
)

// agreement measures how often weaker evidence was confirmed by stronger.
type agreement struct {
	right, total float64
}

func (a *agreement) add(right bool) {
	if a.total >= maxAgreement {
		a.right, a.total = a.right/2, a.total/2
	}
	a.total++
	if right {
		a.right++
	}
}

// confidence is the lower end of Wilson's 95 % interval for the share of right guesses.
func (a *agreement) confidence() float64 {
	const z = 1.96
	n := a.total + priorTotal
	share := (a.right + priorRight) / n
	center := share + z*z/(2*n)
	spread := z * math.Sqrt(share*(1-share)/n+z*z/(4*n*n))
	return (center - spread) / (1 + z*z/n)
}
