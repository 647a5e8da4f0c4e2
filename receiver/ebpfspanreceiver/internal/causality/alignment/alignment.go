// Package alignment says which request each of the goroutines is of that one goroutine has started, where that one served the
// requests one after the other.
package alignment

import (
	"cmp"
	"slices"
)

const (
	// window is how many requests before the last one that has a goroutine may get theirs later.
	window = 8
	// maxPlaces bounds the ways to get to a goroutine that are told apart, and unlikely is what of the likeliest one's
	// probability is not followed.
	maxPlaces, unlikely = 64, 1e-5
	// overtaking is how likely a goroutine is before those of earlier requests, where nothing tells in which order
	// they were started, but for a factor.
	overtaking = 0.5
)

// Alignment is a hidden Markov model of which request each goroutine of a row is of. Its state is the last request that
// has a goroutine, and which of those before it have none yet.
type Alignment struct {
	skips   []float64
	further float64
	// rows are the states after each goroutine.
	rows [][]place
}

// place is a state.
type place struct {
	// last is the last request that has a goroutine, holes are those before it that have none.
	last  int
	holes uint16
	p     float64
	// ways lead to it.
	ways []way
}

// way is a step from the place before, with the request that the goroutine was taken for.
type way struct {
	from, request int
	p             float64
}

// New returns an alignment with so many requests as there are skips: how probable it is that each has no goroutine, by now or
// at all, which must not be 0. further is how probable it is that a request has one more.
func New(skips []float64, further float64) *Alignment {
	return &Alignment{skips: skips, further: further}
}

// Take takes the next goroutine, which is of each request with so much weight, and with so much where that is later than those that
// have one. swapped is how probable it is that it was started before the last one that was taken.
func (a *Alignment) Take(weights, later []float64, swapped float64) {
	row := &places{index: make(map[uint32]int)}
	if len(a.rows) == 0 {
		a.goOn(row, place{last: -1, p: 1}, 0, later)
	} else {
		for i, p := range a.rows[len(a.rows)-1] {
			a.stay(row, p, i, weights, swapped)
			a.goOn(row, p, i, later)
		}
	}
	if len(row.all) == 0 {
		for i, p := range a.rows[len(a.rows)-1] {
			a.strays(row, p, i, weights)
		}
	}
	a.rows = append(a.rows, row.likely())
}

// stay has the goroutine be of the last request, too, or of one before that.
func (a *Alignment) stay(row *places, p place, from int, weights []float64, swapped float64) {
	row.add(place{last: p.last, holes: p.holes}, way{from, p.last, p.p * a.further * weights[p.last]})
	for k := range min(window, p.last) {
		j, holes, paid := p.last-1-k, p.holes&^(1<<k), a.further*swapped
		if holes != p.holes {
			paid = (1 - a.further) * overtaking * swapped / a.skips[j]
		}
		row.add(place{last: p.last, holes: holes}, way{from, j, p.p * paid * weights[j]})
	}
}

// strays has the goroutine be of any request, where the order makes none possible.
func (a *Alignment) strays(row *places, p place, from int, weights []float64) {
	for j, w := range weights {
		row.add(place{last: p.last, holes: p.holes}, way{from, j, p.p * w})
	}
}

// goOn has the goroutine be of a later request. For those that are passed that have none it is paid at once, so that the likeliest
// ways are known by what they cost, and given back when they get one.
func (a *Alignment) goOn(row *places, p place, from int, weights []float64) {
	holes, paid := p.holes, p.p*(1-a.further)
	for j := p.last + 1; j < len(weights); j++ {
		if j > 0 {
			holes <<= 1
		}
		if j > p.last+1 {
			holes |= 1
			paid *= a.skips[j-1]
		}
		holes &= 1<<window - 1
		row.add(place{last: j, holes: holes}, way{from, j, paid * weights[j]})
	}
}

// places are the states after a goroutine, while they are found.
type places struct {
	all   []place
	index map[uint32]int
}

func (r *places) add(p place, w way) {
	if w.p == 0 {
		return
	}
	key := uint32(p.last)<<16 | uint32(p.holes)
	i, ok := r.index[key]
	if !ok {
		i = len(r.all)
		r.index[key], r.all = i, append(r.all, p)
	}
	r.all[i].p += w.p
	r.all[i].ways = append(r.all[i].ways, w)
}

// likely returns the likeliest ones, with their sum as 1.
func (r *places) likely() []place {
	slices.SortFunc(r.all, func(a, b place) int { return cmp.Compare(b.p, a.p) })
	sum := 0.0
	for _, p := range r.all {
		sum += p.p
	}
	kept := r.all[:min(len(r.all), maxPlaces)]
	for i := range kept {
		p := &kept[i]
		p.p /= sum
		if p.p < unlikely {
			return kept[:i]
		}
		for w := range p.ways {
			p.ways[w].p /= sum
		}
	}
	return kept
}

// rest is how likely it is that the requests after the last one have no goroutine.
func (a *Alignment) rest(p place) float64 {
	rest := 1.0
	for _, skip := range a.skips[p.last+1:] {
		rest *= skip
	}
	return rest
}

// Owners returns for each goroutine how probable it is that it is of each request.
func (a *Alignment) Owners() [][]float64 {
	owners := make([][]float64, len(a.rows))
	after := make([]float64, len(a.rows[len(a.rows)-1]))
	for i, p := range a.rows[len(a.rows)-1] {
		after[i] = a.rest(p)
	}
	for i := len(a.rows) - 1; i >= 0; i-- {
		owners[i] = make([]float64, len(a.skips))
		before := []float64{0}
		if i > 0 {
			before = make([]float64, len(a.rows[i-1]))
		}
		for k, p := range a.rows[i] {
			for _, w := range p.ways {
				owners[i][w.request] += w.p * after[k]
				if i > 0 {
					before[w.from] += w.p / a.rows[i-1][w.from].p * after[k]
				}
			}
		}
		Normalise(owners[i])
		Normalise(before)
		after = before
	}
	return owners
}

// Normalise makes the sum 1, if there is any.
func Normalise(p []float64) {
	sum := 0.0
	for _, x := range p {
		sum += x
	}
	if sum <= 0 {
		return
	}
	for i := range p {
		p[i] /= sum
	}
}
