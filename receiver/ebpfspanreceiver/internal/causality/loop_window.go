package causality

import "slices"

// trim forgets the turns before turn, but for tokens that may still be acted on, and
// what is too much.
func (l *loop) trim(turn int) {
	if n := len(l.deeds); n > maxDeeds {
		turn = max(turn, l.deeds[n-maxDeeds].turn)
	}
	if n := len(l.tokens); n > maxTokens {
		turn = max(turn, l.tokens[n-maxTokens-1].turn+1) // without their tokens, deeds would be taken for others'
	}
	m := 0
	for m < len(l.deeds) && l.deeds[m].turn < turn {
		m++
	}
	n := l.done(turn, l.deeds[m:])
	if m < margin && n < margin {
		return
	}
	for i, x := range l.deeds[:m] {
		x.teach(&l.habits)
		if x.pool > 0 {
			l.pools[x.pool].forget(x)
		}
		if i > 0 {
			l.compare(l.deeds[i-1], x)
		}
	}
	for _, t := range l.tokens[:n] {
		l.habits.kind(t.kind).forget(t)
	}
	l.habits.fade()
	l.forgetTokens(n)
	l.forgetDeeds(m)
}

// done is how many of the first tokens are too old for these deeds, the first of which are of a turn, and for what is to come.
func (l *loop) done(turn int, deeds []*deed) (n int) {
	now, rests := l.step(), firstOf(deeds)
	first := now
	if len(deeds) > 0 {
		first = deeds[0].step
	}
	for n = max(0, len(l.tokens)-maxTokens); n < len(l.tokens); n++ {
		t := l.tokens[n]
		if t.turn >= turn-maxLagTurns || t.number >= rests || l.queues(t) && !t.over(first, now) {
			break
		}
	}
	return n
}

// step is the step of what was seen last.
func (l *loop) step() (n uint64) {
	if i := len(l.tokens); i > 0 {
		n = l.tokens[i-1].step
	}
	if i := len(l.deeds); i > 0 {
		n = max(n, l.deeds[i-1].step)
	}
	return n
}

// forgetDeeds forgets the first n deeds. What they rested on is let go of: else each would keep
// all before it, from token to call and on to that call's deed.
func (l *loop) forgetDeeds(n int) {
	for _, x := range l.deeds[:n] {
		x.sources, x.release, x.adjacent = nil, nil, nil
	}
	l.deeds = slices.Delete(l.deeds, 0, n)
}

// over is how many of the first tokens are of requests that have ended.
func (l *loop) over() int {
	for i, t := range l.tokens {
		r := t.request
		if t.call != nil && t.call.decided {
			r = t.call.parent
		}
		if r == nil && (t.call == nil || !t.call.decided) || r != nil && !r.answered {
			return i
		}
	}
	return len(l.tokens)
}

// forgetTokens forgets the first n tokens.
func (l *loop) forgetTokens(n int) {
	l.tokens = slices.Delete(l.tokens, 0, n)
	l.dropped += uint64(n)
}

// settled reports whether every deed in the window was decided by other evidence: a
// thread that works on one request at a time is no loop.
func (l *loop) settled() bool {
	for _, x := range l.deeds {
		if x.act != nil && !x.act.settled() {
			return false
		}
	}
	return true
}

// forget empties the window.
func (l *loop) forget() {
	l.forgetTokens(len(l.tokens))
	l.forgetDeeds(len(l.deeds))
}
