package causality

// riddle tells whether it is explained what the calls to a peer rest on, or the responses. It may have been learned wrongly
// what leads to them, or nothing, as where few calls needed not wait; and what is not supposed to lead to a deed is never
// found to. The answers to calls tell: whose they are, the responses say exactly, so that it is known what nearly
// each answered call rests on where that was learned right. Where it is known of few of them, each kind of token is tried.
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

// judge takes how many of the answered calls of a window are known to rest on one token: it is a riddle if that
// is less than a share few. While few are answered, nothing is known.
func (r *riddle) judge(known, answered int, few float64) {
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

// explain finds out whether the window that was decoded explains its deeds. Where they are one row, that is asked of calls
// that wait; in rows of their own, anything may be passed over. There a token may lead to calls to several peers, and any
// that leads to one would do for another: so more must be in the dark before that is tried.
func (d *decoder) explain(l *loop) {
	const half, most = 0.5, 0.2
	for n, p := range l.pools {
		switch {
		case p == nil:
		case l.apiece:
			p.judge(l, n, most)
		case p.queued:
			p.judge(l, n, half)
		}
	}
	d.habits.mayWait(l)
}

// judge finds out of how many of the deeds for the n-th peer that were answered it is known what they rest on.
func (p *pool) judge(l *loop, n int, few float64) {
	known, answered := 0, 0
	for _, x := range l.deeds {
		if x.pool != n || x.act != nil && x.act.response == nil {
			continue
		}
		answered++
		if x.source() != nil {
			known++
		}
	}
	p.riddle.judge(known, answered, few)
}
