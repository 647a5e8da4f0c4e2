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
		r.pause = max(2*r.pause, enough)
		r.until = seen + r.pause
	}
	return r.trying
}

// judge takes how many of the answered calls of a window are known to rest on one token. While few are
// answered, nothing is known.
func (r *riddle) judge(known, answered int) {
	const few = 0.5
	if answered < enough/2 {
		return
	}
	r.unsolved = float64(known) < few*float64(answered)
	if !r.unsolved {
		r.pause, r.until = 0, 0
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
		switch {
		case q == nil:
		case l.apiece:
			l.pools[q.pool].riddle = riddle{}
		default:
			l.pools[q.pool].riddle.judge(q.explained())
		}
	}
	d.habits.mayWait(l)
}

// explained is of how many answered calls it is known what they rest on, and how many there are.
func (q *queue) explained() (known, answered int) {
	for _, x := range q.rows {
		if x.act.response == nil {
			continue
		}
		answered++
		if x.source() != nil {
			known++
		}
	}
	return known, answered
}
