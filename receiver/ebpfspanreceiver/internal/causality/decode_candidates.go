package causality

// candidate is a token that may be acted on in a turn.
type candidate struct {
	token  *token
	before belief
	lag    int
	// index is its place among the loop's tokens, skip the probability that it is
	// not acted on in this turn.
	index int
	skip  float64
	// left is the probability that it was not acted on in another turn.
	left float64
	// more[c] is the probability that one more act follows after c.
	more [maxBlock + 1]float64
}

// gather lists the tokens that may be acted on in the turn of these deeds, of one sort only
// where that is told.
func (d *decoder) gather(l *loop, deeds []*deed, only int) {
	d.candidates = d.candidates[:0]
	turn, last := deeds[0].turn, deeds[len(deeds)-1]
	end := int(last.tokens - l.dropped)
	begin := end
	for begin > 0 && turn-l.tokens[begin-1].turn <= maxLagTurns {
		begin--
	}
	for n := begin; n < end; n++ {
		t := l.tokens[n]
		if only >= 0 && t.sort() != only {
			continue
		}
		lag := lagBin(turn - t.turn)
		now, notBefore := d.habits.kind(t.kind).any(lag, d.habits.expect(t))
		if d.pool >= 0 {
			now, notBefore = d.habits.kind(t.kind).firstTo(l, d.pool, lag, d.habits.expect(t))
			if lag < rhythmLags {
				now = l.pools[d.pool].wanted(now)
			}
		}
		left := max(1-d.taken(l, t), 0.01)
		h := min(now/notBefore*left, 0.99)
		if d.pool >= 0 {
			h = min(sharpened(min(now/notBefore, 1))*left, 0.999)
		}
		before := t.before(l.trust.share())
		if d.lane != nil {
			h *= before.onto(d.lane)
		}
		if h < unlikely {
			continue
		}
		d.candidates = append(d.candidates, candidate{
			token: t, before: before, lag: lag, index: n, skip: 1 - h, left: left / notBefore,
		})
		c := &d.candidates[len(d.candidates)-1]
		for count := 1; count <= maxBlock; count++ {
			c.more[count] = d.more(l, t, count)
		}
	}
}

// taken is how probable it is that a token leads to no more deeds that are in no queue.
func (d *decoder) taken(l *loop, t *token) float64 {
	queued := min(max(t.queued, 0), 1)
	if queued == 0 {
		return t.acted
	}
	return t.acted - t.queued + queued*(1-d.habits.kind(t.kind).besides(l))
}

// more is the probability of one more act after so many on one token. The rhythm does not tell peers apart:
// what it expects counts where there is one. Where that is about a whole number of calls, it counts for half:
// unlike what was decoded it has no errors of its own, and what differs is an error as a rule.
func (d *decoder) more(l *loop, t *token, count int) float64 {
	const again, whole = 0.05, 0.34
	k, o := d.habits.kind(t.kind), d.habits.expect(t)
	switch {
	case d.pool < 0:
		return k.more(count, o.more[count])
	case d.pool == 0 || !l.onlyPeer(d.pool):
		return k.more(count, again)
	}
	expected := o.calls[count]
	p := k.more(count, expected)
	if min(expected, 1-expected) > whole {
		return p
	}
	return min(max(sharpened((p+sharpened(expected))/2), leastMore), mostMore)
}

func matrix(m [][]float64, rows, columns int) [][]float64 {
	for len(m) < rows {
		m = append(m, nil)
	}
	for i := range rows {
		if cap(m[i]) < columns {
			m[i] = make([]float64, columns, 2*columns)
		}
		m[i] = m[i][:columns]
		clear(m[i])
	}
	return m
}

// weigh fills emit and again: how probable each deed is as a candidate's first
// act, and as one more.
func (d *decoder) weigh(l *loop, x *deed, row int) {
	after, at := x.after(&d.scratch), openAt{x.step, x.request}
	d.after = append(d.after, after)
	d.orphan = append(d.orphan, d.habits.orphan[x.kind])
	open, anywhere := float64(max(1, x.open)), d.habits.anywhere(l.inTurn(x))
	for p := range d.candidates {
		c := &d.candidates[p]
		if c.token.number >= x.tokens {
			continue
		}
		k := d.habits.kind(c.token.kind)
		w := k.first(x.class, x.kind, c.lag, d.habits.expect(c.token)) * c.left
		m := k.share(x.class)
		if x.class == 0 {
			m = 0
		}
		if w < unlikely/10 && m == 0 {
			continue
		}
		same := after.same(&c.before, at)*open + doubt
		d.same[row][p] = same
		if c.lag == 0 {
			same *= d.habits.near(int(x.reads-c.token.read)) / anywhere
		}
		same *= l.pace.fits(x, c.token) * x.elsewhere(c.token)
		d.emit[row][p], d.again[row][p] = w*same, m*same
	}
}
