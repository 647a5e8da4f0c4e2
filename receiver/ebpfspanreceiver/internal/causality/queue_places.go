package causality

import "slices"

// place is a token that may want the peer.
type place struct {
	token *token
	// want is the probability that it does, by how many turns it has been there without having led to anything else.
	want *[lags]float64
	// along is the probability that it does where it has led to something else.
	along float64
	// claimed is how much of it the rows have claimed.
	claimed float64
	// more is the probability of one more row after so many, from one on.
	more [maxBlock]float64
}

// opens reports whether it is the answer to what opened a connection: what that was opened for follows, out of turn.
func (t *token) opens() bool { return t.call != nil && t.call.exchange.Opens }

// open is the probability that the token is acted on by row x or one after it. What other deeds rest on is so as well only if
// such tokens lead to both.
func (p *place) open(x *deed, slip float64) float64 {
	want := p.want[lagBin(x.turn-p.token.turn)]
	other := p.token.acted - p.claimed
	return min(max(want*(1-other)+p.along*min(max(other, 0), 1), 0.02*min(want, 1)), 1-slip)
}

// wanting lists the tokens that may want a queue's peer.
func (d *decoder) wanting(l *loop, q *queue) {
	p := l.pools[q.pool]
	if p.shared {
		d.wantingShared(l, q)
		return
	}
	l.settle(q.rows)
	now := l.step()
	for _, t := range l.tokens {
		if len(q.rows) == 0 || t.opens() || t.over(q.rows[0].step, now) {
			continue
		}
		k := d.habits.kind(t.kind)
		if q.wants[t.kind] == nil {
			q.wants[t.kind], q.along[t.kind] = k.wantsAfter(l, p, q.pool), k.along(l, q.pool)
		}
		if want := q.wants[t.kind]; want[0] > 0 {
			q.places = append(q.places, place{token: t, want: want, along: q.along[t.kind], more: [maxBlock]float64{p.more()}})
		}
	}
}

// settle finds for each call to one peer which tokens it cannot rest on: those that came long before a
// connection was free have led to a call by then, or to none.
func (l *loop) settle(calls []*deed) {
	if len(calls) == 0 {
		return
	}
	settled, n := l.pools[calls[0].pool].settled, 0
	for _, x := range calls {
		for !x.waited && n < len(l.tokens) && x.turn-l.tokens[n].turn > maxLagTurns {
			n++
		}
		settled = max(settled, l.dropped+uint64(n))
		x.settled = settled
	}
}

// sharpened takes what happens mostly for the rule, and what happens rarely for an error.
func sharpened(p float64) float64 {
	if p >= 1 {
		return p
	}
	return p * p / (p*p + (1-p)*(1-p))
}

// lastPlace is the last one of a token up to a number, -1 where there is none.
func (q *queue) lastPlace(number uint64) int {
	i, found := slices.BinarySearchFunc(q.places, number, func(p place, number uint64) int {
		return int(p.token.number) - int(number)
	})
	if found {
		return i
	}
	return i - 1
}

// place finds a token's place by its number.
func (q *queue) place(number uint64) (int, bool) {
	return slices.BinarySearchFunc(q.places, number, func(p place, number uint64) int {
		return int(p.token.number) - int(number)
	})
}
