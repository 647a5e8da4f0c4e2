package causality

import "math"

const (
	// maxDistance is how far apart in the order of beginning a request's calls are looked for, span how many
	// distances these are.
	maxDistance, span = 24, 2*24 + 1
	// enoughPairs is from how many pairs on the distances are known, maxPairs bounds their memory.
	enoughPairs, maxPairs = 24, 1024
	// borrowed is how many pairs whatever tells their places count as, where places are told by the same.
	borrowed = 8
)

// pairKind is two kinds of calls of one request.
type pairKind struct{ from, to endpoint }

// distance is how far apart calls of two kinds begin, all of them and by what tells their places: where that is
// next to the taking of the job, it is exact.
type distance struct {
	all tally
	by  [marks][marks]*tally
}

func (d *distance) add(n int, from, to mark) {
	d.all.add(n)
	if d.by[from][to] == nil {
		d.by[from][to] = &tally{}
	}
	d.by[from][to].add(n)
}

// share is how probable it is that a call began so many calls after the other.
func (d *distance) share(n int, from, to mark) float64 {
	all := d.all.share(n)
	t := d.by[from][to]
	if t == nil {
		return all
	}
	return (t.seen(n) + borrowed*all) / (t.total + borrowed)
}

// tally is how often the one began so many calls after the other, and far how often farther away.
type tally struct {
	total, far float64
	count      [span]float64
}

// share is how probable it is that the one begins so many calls after the other.
func (t *tally) share(n int) float64 {
	const prior, decay, priorTotal = 0.1, 0.8, 3
	return (t.seen(n) + prior*math.Pow(decay, math.Abs(float64(n)))) / (t.total + priorTotal)
}

// shares are those of all distances, the last one that of each that is farther.
type shares [span + 1]float64

func (t *tally) shares() (s shares) {
	for n := -maxDistance; n <= maxDistance; n++ {
		s[n+maxDistance] = t.share(n)
	}
	s[span] = t.share(maxDistance + 1)
	return s
}

func (s *shares) at(n int) float64 {
	if n < -maxDistance || n > maxDistance {
		return s[span]
	}
	return s[n+maxDistance]
}

// without is the share for all others than one of those that were counted.
func (t *tally) without(n int) float64 {
	o := *t
	o.total--
	if n < -maxDistance || n > maxDistance {
		o.far--
	} else {
		o.count[n+maxDistance]--
	}
	return o.share(n)
}

func (t *tally) add(n int) {
	if t.total >= maxPairs {
		t.total, t.far = t.total/2, t.far/2
		for i := range t.count {
			t.count[i] /= 2
		}
	}
	t.total++
	if n < -maxDistance || n > maxDistance {
		t.far++
		return
	}
	t.count[n+maxDistance]++
}

func (t *tally) seen(n int) float64 {
	if n < -maxDistance || n > maxDistance {
		return t.far / span
	}
	return t.count[n+maxDistance]
}
