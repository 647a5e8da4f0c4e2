package causality

// riddle tells whether a queue explains the calls to its peer. It may have been learned wrongly what leads to
// them, or nothing, as where few calls needed not wait; and what is not supposed to lead to a call is never
// found to. The answers to calls tell: whose they are, the responses say exactly, so that it is known what nearly
// each answered call rests on where that was learned right. where it is not known of half of them, each kind of token is tried.
type riddle struct {
	// unsolved says that what most calls rest on is not known, trying that any kind of token is tried.
	unsolved, trying bool
	// pause is for how many tokens the next try is put off, and until is how many there must be for
	// it. It doubles with each try, as there may be nothing to find.
	pause, until uint64
}

// tried is the share of each kind of tokens that is supposed to want the peer at a try.
const tried = 0.1

// tries reports whether the window is decoded with any kind of token, where so many were seen.
func (r *riddle) tries(seen uint64) bool {
	r.trying = r.unsolved && seen >= r.until
	if r.trying {
		r.pause = min(max(2*r.pause, enough), 8*young)
		r.until = seen + r.pause
	}
	return r.trying
}

// judge takes how many of the answered calls of a window are known to rest on one token. While few are
// answered, nothing is known. It is a riddle if that is known of fewer than a share few, and tried at once or after so many tokens.
func (r *riddle) judge(known, answered int, few float64, after uint64) {
	if answered < enough/2 {
		return
	}
	was := r.unsolved
	r.unsolved = float64(known) < few*float64(answered)
	switch {
	case !r.unsolved:
		r.pause, r.until = 0, 0
	case !was:
		r.until = max(r.until, after)
	}
}

// keeps reports whether tokens are kept for the next try. Where some tries found nothing, it is left at those
// that the window has anyway.
func (r *riddle) keeps() bool { return r.unsolved && r.pause <= 4*young }

// wanted is the share of a kind of tokens that is supposed to want the peer, where so much was learned.
func (p *pool) wanted(learned float64) float64 {
	if p.riddle.trying {
		return max(learned, tried)
	}
	return learned
}

// unexplained reports whether calls wait of which it is not known what leads to them.
func (p *pool) unexplained() bool { return p != nil && p.queued && p.riddle.keeps() }

// explain finds out whether the queues of the window that was decoded explain their calls. Where each peer's calls
// are decoded by themselves, nothing is tried: a token may lead to calls to several, and any that
// leads to one would do for another.
func (d *decoder) explain(l *loop) {
	for _, q := range d.queueOf {
		if q != nil && !l.apiece {
			known, answered := l.explained(q.pool)
			l.pools[q.pool].riddle.judge(known, answered, 0.5, 0)
		}
	}
	if l.apiece {
		for n, p := range l.pools {
			if p != nil {
				known, answered := l.explained(n)
				p.riddle.judge(known, answered, 0.2, 0)
			}
		}
	}
	d.habits.mayWait(l)
}

// explained is of how many deeds for a peer that led to something it is known what they rest on, and how many there are.
func (l *loop) explained(pool int) (known, answered int) {
	for _, x := range l.deeds {
		if x.pool != pool || x.act != nil && x.act.response == nil {
			continue
		}
		answered++
		if x.source() != nil {
			known++
		}
	}
	return known, answered
}

// firstTry is at how many tokens any kind is tried at the earliest. Where there are tokens that are known to lead to
// some of the deeds for a peer, that is put off: others may seem to explain them as well, as those of another call that
// the same request made.
func (d *decoder) firstTry(l *loop, pool, deeds int) uint64 {
	known := 0
	for _, t := range l.tokens {
		if d.habits.kind(t.kind).wants(l, pool) >= queueLeast {
			known++
		}
	}
	if 2*known < deeds {
		return 0
	}
	return l.seen() + young
}
