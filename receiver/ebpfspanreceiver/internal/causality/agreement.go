package causality

const (
	// maxAgreement bounds the memory of the measurement, so that it follows a
	// program whose habits change.
	maxAgreement = 1024
)

// agreement measures how often weaker evidence was confirmed by stronger.
type agreement struct {
	right, total float64
}

// add counts a guess.
func (a *agreement) add(right bool) { a.weigh(right, 1) }

// weigh counts a guess that was compared with something of so much weight.
func (a *agreement) weigh(right bool, weight float64) {
	if a.total >= maxAgreement {
		a.right, a.total = a.right/2, a.total/2
	}
	a.total += weight
	if right {
		a.right += weight
	}
}

// join adds what o has counted.
func (a *agreement) join(o agreement) {
	if a.total >= maxAgreement {
		a.right, a.total = a.right/2, a.total/2
	}
	a.right, a.total = a.right+o.right, a.total+o.total
}

// count counts something that is right with this probability.
func (a *agreement) count(p float64) {
	a.weigh(true, p)
	a.weigh(false, 1-p)
}

// share is the share of right guesses.
func (a *agreement) share() float64 {
	const priorRight, priorTotal, most = 2, 4, 0.97
	return min((a.right+priorRight)/(a.total+priorTotal), most)
}
