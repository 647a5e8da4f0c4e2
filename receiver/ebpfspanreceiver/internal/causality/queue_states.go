package causality

import (
	"slices"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/causality/alignment"
)

// begin sets the states before the first row: the last token is what the call before it rested on. What is not there
// any more comes before all places.
func (q *queue) begin(last []landmark) {
	s := q.spare[:0]
	s = append(s, 1)
	from := 0
	for n, r := range last {
		i := 1 + q.lastPlace(r.number)
		if n == 0 {
			s, from = s[:0], i
		}
		for ; i < from; from-- {
			s = slices.Insert(s, 0, 0)
		}
		for len(s) <= i-from {
			s = append(s, 0)
		}
		s[i-from] += r.share
	}
	alignment.Normalise(s)
	q.states(0, from, s)
	q.spare = s
}

// trimmed returns the part of the states that is worth following, in whole places.
func (q *queue) trimmed(s []float64) (lo, hi int) {
	lo, hi = trimmed(s)
	return lo - lo%q.counts, min(len(s), hi+(q.counts-hi%q.counts)%q.counts)
}

// states keeps the states before a row.
func (q *queue) states(row, from int, s []float64) {
	for len(q.before) <= row {
		q.before = append(q.before, nil)
	}
	q.before[row] = append(q.before[row][:0], s...)
	q.from = append(q.from[:row], from)
}

// next returns the states after the row: those that moved, and those that stayed.
func (q *queue) next(row int) []float64 {
	q.spare = q.spare[:0]
	before := q.before[row]
	for i, m := range q.moved {
		at := i * q.counts
		q.spare = append(q.spare, m)
		for c := 1; c < q.counts; c++ {
			q.spare = append(q.spare, 0)
		}
		for c := range q.counts {
			q.spare[at+q.another(c)] += q.stayed[at+c]
			if at+c < len(before) {
				q.spare[at+c] += before[at+c] * q.slip
			}
		}
	}
	return q.spare
}

// another is the count after one more row.
func (q *queue) another(count int) int { return min(count+1, q.counts-1) }

// passed is the number of the first token that may have been acted on last before a row.
func (q *queue) passed(row int) uint64 {
	const chance = 1e-3
	for i, p := range q.before[row] {
		if at := q.from[row] + i/q.counts - 1; p > chance && at >= 0 {
			return q.places[at].token.number
		}
	}
	return 0
}

// ahead is the probability of the rows after one, where it leaves the state at the i-th place before it with
// a count.
func (q *queue) ahead(row, i, count int) float64 {
	if n := (q.from[row]+i-q.betaFrom)*q.counts + count; n >= 0 && n < len(q.beta) {
		return q.beta[n]
	}
	return 0
}

// retreat makes beta that of the states before the row.
func (q *queue) retreat(row int) {
	q.spare = append(q.spare[:0], q.before[row]...)
	next, beyond, jumps := q.spare, 0.0, 0.0
	for i := len(q.weights) - 1; i >= 0; i-- {
		h, more := 0.0, [maxBlock]float64{}
		if n := q.from[row] + i - 1; n >= 0 {
			h, more = q.opens[i], q.places[n].more
		}
		for c := range q.counts {
			if at := i*q.counts + c; at < len(next) {
				stays := more[c] * q.weights[i] * q.ahead(row, i, q.another(c))
				next[at] = beyond*(1-more[c]) + q.ahead(row, i, c)*q.slip + stays
			}
		}
		beyond = beyond*(1-h) + h*q.weights[i]*q.ahead(row, i, 0)
		jumps += h * q.weights[i] * q.ahead(row, i, 0)
	}
	for i := range next {
		next[i] += q.jump * jumps
	}
	q.spare, q.beta, q.betaFrom = q.beta, next, q.from[row]
	alignment.Normalise(q.beta)
}

// trimmed returns the part of the states that is worth following.
func trimmed(s []float64) (lo, hi int) {
	most := 0.0
	for _, x := range s {
		most = max(most, x)
	}
	hi = len(s)
	for lo < hi-1 && s[lo] <= faint*most {
		lo++
	}
	for hi > lo+1 && s[hi-1] <= faint*most {
		hi--
	}
	return lo, hi
}
