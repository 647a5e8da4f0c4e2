package causality

// Connections that many share: a session collects what is for its connection, and writes it when the loop's turn is
// over, or later. So calls to a peer are written in the order of the tokens that lead to them, as where they wait for a
// connection of their own, but several for each token one after another, and those of a turn as late as the
// first of them.

const (
	// sharedLeast is the least weight of the time that has passed between a token and the first call of a turn.
	sharedLeast = 0.02
	// sharedRare is the least probability of a call more or less than usual on one token.
	sharedRare = 2e-4
	// outlived is the weight of a request that was answered before the call.
	outlived = 0.01
	// rhythmEnough is how many turns must have passed before the rhythm tells how many calls follow on a token.
	rhythmEnough = 24
)

// opensShared reports whether the deed opens a connection that many will share.
func (l *loop) opensShared(x *deed) bool {
	return x.kind == 2 && x.pool > 0 && l.pools[x.pool] != nil && l.pools[x.pool].shared
}

// wantingShared lists the tokens that may lead to calls of a queue through shared connections.
func (d *decoder) wantingShared(l *loop, q *queue) {
	early := l.callsEach(q)
	for _, t := range l.tokens {
		expected := d.expectShared(l, q.pool, t, early)
		k := d.habits.kind(t.kind)
		want := k.wantsFirst(l, q.pool, min(expected, 1))
		if t.request != nil {
			// What is not supposed to lead to calls is never found to.
			want = max(want, (want+min(expected, 1))/2)
		}
		if want < queueLeast {
			continue
		}
		p := place{token: t, want: always(sharpened(want))}
		for count := range p.more {
			p.more[count] = k.moreShared(count+1, expected)
		}
		q.places = append(q.places, p)
	}
}

// always is a probability that does not depend on how long a token has been there.
func always(p float64) *[lags]float64 {
	all := new([lags]float64)
	for i := range all {
		all[i] = p
	}
	return all
}

// beginShared sets the states before the first row, after those that were forgotten. What is not there any more may
// have been the last.
func (q *queue) beginShared(last []landmark) {
	n := len(last)
	for n > 0 && (len(q.places) == 0 || last[n-1].number < q.places[0].token.number) {
		n--
	}
	q.spare = append(q.spare[:0], 1)
	if n < len(last) {
		last = last[:0]
	}
	for _, m := range last {
		i, ok := q.place(m.number)
		if at := (i+1)*q.counts + m.count; ok {
			for len(q.spare) <= at {
				q.spare = append(q.spare, 0)
			}
			q.spare[at] += m.share
			q.spare[0] -= m.share
		}
	}
	q.spare[0] = max(q.spare[0], 0)
	for len(q.spare)%q.counts != 0 {
		q.spare = append(q.spare, 0)
	}
	lo, hi := q.trimmed(q.spare)
	q.states(0, lo/q.counts, q.spare[lo:hi])
}

// callsEach is how many calls of a queue there are for each request since those that were forgotten.
func (l *loop) callsEach(q *queue) float64 {
	after, heads := uint64(0), 0
	if last := l.pools[q.pool].end; len(last) > 0 {
		after = last[len(last)-1].number + 1
	}
	for _, t := range l.tokens {
		if t.request != nil && t.number >= after {
			heads++
		}
	}
	return float64(len(q.rows)) / float64(max(heads, 1))
}

// expectShared is how many calls to a peer follow on a token, where early is how many calls there are for each request. Only
// the rhythm is no echo of what was decoded before, but it does not tell peers apart.
func (d *decoder) expectShared(l *loop, pool int, t *token, early float64) float64 {
	switch {
	case !l.onlyPeer(pool) && t.request != nil:
		return min(early, 1)
	case !l.onlyPeer(pool):
		return 0
	case l.rhythm.turns < rhythmEnough && t.request != nil:
		return early
	case l.rhythm.turns < rhythmEnough:
		return 0
	}
	e := &d.habits.expected[t.sort()]
	return e.sum(1) + e.sum(2) + e.sum(3)
}

// wantsFirst is how probable it is that a token of this kind leads to a call to the peer, where so much was expected.
func (k *kindHabits) wantsFirst(l *loop, pool int, expected float64) float64 {
	n := expectedWeight * expected
	for i := range k.acts {
		if int(l.poolOf[k.acts[i].class]) != pool {
			continue
		}
		for _, first := range k.acts[i].lag {
			n += first
		}
	}
	return n / (max(k.tokens, k.blocks[0]) + expectedWeight)
}

// moreShared is the probability of one more call after so many on one token, where so many were expected: what
// is about a whole number counts for half.
func (k *kindHabits) moreShared(count int, expected float64) float64 {
	const whole = 0.34
	e := min(max(expected-float64(count), 0.002), 0.998)
	p := k.more(count, e)
	if min(e, 1-e) > whole {
		return p
	}
	return min(max(sharpened((p+sharpened(e))/2), sharedRare), 1-sharedRare)
}

// lagShared is the weight of the time that has passed between the token and a row: the first of a turn tells how
// late all of them are.
func (q *queue) lagShared(l *loop, x *deed, t *token, row int) float64 {
	if row > 0 && q.rows[row-1].turn == x.turn {
		return 1
	}
	p := l.pools[q.pool]
	return max((p.lag[lagBin(x.turn-t.turn)]+1)/(p.prompt+lags), sharedLeast)
}

// landmark is a token on which a call rests that was forgotten, and how probable that is. count is how many calls
// there were on it before.
type landmark struct {
	number uint64
	count  int
	share  float64
}

// rememberShared keeps what a call that is forgotten rests on: the next ones rest on that or on later ones.
func (p *pool) rememberShared(x *deed) {
	const known = 0.5
	sum := 0.0
	for _, s := range x.sources {
		sum += s.share
	}
	if sum < known {
		return
	}
	p.end = p.end[:0]
	for _, s := range x.sources {
		p.end = append(p.end, landmark{s.token.number, 0, s.first / sum})
		for c, share := range s.again {
			if share > 0 {
				p.end = append(p.end, landmark{s.token.number, min(c+1, maxBlock-1), share / sum})
			}
		}
	}
}

// expectResponses has as many responses follow on the answers to calls as there were, in their turn, where the rhythm
// found fewer: joins make them look like chance, and what is not expected at all is never found.
func (l *loop) expectResponses() {
	if !l.shared {
		return
	}
	answers, responses := 0.0, 0.0
	for _, t := range l.tokens {
		if t.call != nil {
			answers++
		}
	}
	for _, x := range l.deeds {
		if x.request != nil {
			responses++
		}
	}
	e := &l.habits.expected[1]
	if share := min(responses/max(answers, 1), 1); e.sum(0) < share/2 {
		e[0] = [rhythmLags]float64{share}
	}
}

// stays notes whether the belief is the one of the window before.
func (a *act) stays() {
	first, _, _, _ := a.belief.best()
	if first != a.likely {
		a.likely, a.stayed = first, 0
		return
	}
	a.stayed++
}

// outlives reports whether a call was not answered when a request, which may be nil, was: hardly any request calls
// and does not wait for it.
func (x *deed) outlives(r *request) bool {
	if r == nil || r.responded == 0 {
		return false
	}
	t := x.act.response
	return t == nil || !t.complete || t.step > r.responded
}

// forgoes takes that a token is behind those that were read after it.
func (p *pool) forgoes(number uint64) {
	last := p.end[:0]
	for _, m := range p.end {
		if m.number > number {
			m.number--
		} else if m.number == number {
			continue
		}
		last = append(last, m)
	}
	p.end = last
}

// dim reports whether the decoder is not to be believed where connections are shared: it has not been compared with
// responses often enough, or requests make several calls and the count of them is lost, so that an explanation
// that is shifted by one fits about as well until their responses are written.
func (l *loop) dim() bool {
	const compared = 100
	return l.shared && (l.trust.total < compared || l.line.fan > 0 && !l.line.counting)
}
