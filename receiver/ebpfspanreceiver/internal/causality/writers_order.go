package causality

import (
	"slices"
	"sort"
)

const (
	// maxLined bounds the calls that are remembered, and the requests, maxLeft those of them that are compared
	// each with each.
	maxLined, maxLeft = 8192, 512
	// detained is the share of requests, at each end, that stand anywhere because they wait for something else.
	detained = 0.01
	// matchRounds is how often what was found by the order is taken for known.
	matchRounds = 4
	// undecidedFor is how many times as long calls are remembered that are not decided.
	undecidedFor = 5
)

// writersOrder is in which order calls begin and end, and requests are read and answered.
//
// Each request makes one call. Where one thread runs all of the tasks, requests are taken in the order in which they
// were read, and answered in that in which their calls have ended, but for a few. Of the calls whose request is known
// by who wrote both, it is counted how many of them began, and were read, before a pair of a call and a request, and how many
// ended, and were answered: the less these differ, the likelier is the pair. So calls find their requests that
// another thread wrote, or whose responses it did, and pairs are doubted that stand where nearly none does: one name
// may stand for two tasks. Where threads overtake each other all the time these distances are anything, and tell nothing.
type writersOrder struct {
	// clock counts the moments, heard how often answers were read, of which there may be several at a time.
	clock, heard int
	// calls are those that have ended, in that order, requests those that were answered.
	calls    []*call
	requests []*request
	// remembered is how long, in nanoseconds, all of these are kept.
	remembered int64
	// now is the latest time, decided that of the last assignment; due says that the next one is wanted.
	now, decided int64
	due          bool
}

// lined is a place in both orders.
type lined struct{ from, to int }

func (o *writersOrder) moment() int {
	o.clock++
	return o.clock
}

func (o *writersOrder) reads(r *request) { r.lined.from = o.moment() }

func (o *writersOrder) responds(r *request) {
	r.lined.to = o.moment()
	o.now = max(o.now, r.exchange.Response.First.Time)
	if len(o.requests) >= maxLined {
		o.requests = slices.Delete(o.requests, 0, maxLined/4)
	}
	o.requests = append(o.requests, r)
}

func (o *writersOrder) ended(c *call) {
	c.lined.to = o.moment()
	if n := len(o.calls); n == 0 || o.calls[n-1].endedAt != c.endedAt {
		o.heard++
	}
	c.heard = o.heard
	o.now = max(o.now, c.endedAt)
	if len(o.calls) >= maxLined {
		o.calls = slices.Delete(o.calls, 0, maxLined/4) // not one by one: that would move all each time
	}
	o.calls = append(o.calls, c)
}

// proposes takes that a call is r's by who wrote both.
func (o *writersOrder) proposes(c *call, r *request, confidence float64) {
	c.proposed, c.proposedShare = r, confidence
	o.due = o.due || o.decided-c.endedAt >= surrounded
}

// assigned reports whether a call was assigned when those around it were known, or nothing new is known since.
func (o *writersOrder) assigned(c *call) bool {
	return o.decided-c.endedAt >= surrounded || o.decided == o.now
}

// assign tells of all calls that are not settled whose they are, as far as their order does.
func (o *writersOrder) assign() {
	o.decided, o.due = o.now, false
	o.forget()
	pairs := o.pairs()
	// A pair that stands where none does is left out, for it makes others look so.
	view := newPairsView(pairs)
	pairs = slices.DeleteFunc(pairs, func(p pair) bool { return view.confidence(p) < reliable })
	view = newPairsView(pairs)
	free := o.open()
	for _, p := range pairs {
		delete(free, p.request)
		p.call.queued, p.call.queuedShare = p.request, view.confidence(p)
	}
	for range matchRounds {
		// What was found tells of the others what those that were known did not.
		found := o.match(free, &view)
		if len(found) == 0 {
			break
		}
		for _, p := range found {
			delete(free, p.request)
		}
		pairs = append(pairs, found...)
		view = newPairsView(pairs)
	}
}

// open returns the requests that nobody's call is known to be for, and makes all calls anybody's that are not settled.
func (o *writersOrder) open() map[*request]bool {
	free := make(map[*request]bool, len(o.requests))
	for _, r := range o.requests {
		free[r] = true
	}
	for _, c := range o.calls {
		if !c.decided {
			c.queued = nil
		} else if c.parent != nil {
			delete(free, c.parent)
		}
	}
	return free
}

// forget drops what is over.
func (o *writersOrder) forget() {
	o.calls = slices.DeleteFunc(o.calls, func(c *call) bool {
		age := o.now - c.endedAt
		return age > o.remembered && c.decided || age > undecidedFor*o.remembered
	})
	o.requests = slices.DeleteFunc(o.requests, func(r *request) bool {
		return o.now-r.exchange.Response.First.Time > o.remembered
	})
}

// pair is a call and its request.
type pair struct {
	call    *call
	request *request
}

// pairs returns those that are known by who wrote both.
func (o *writersOrder) pairs() (known []pair) {
	for _, c := range o.calls {
		if c.proposed != nil && c.proposed.lined.from != 0 {
			known = append(known, pair{c, c.proposed})
		}
	}
	return known
}

// match assigns the calls that are left to the requests that are, and returns those pairs that are sure.
func (o *writersOrder) match(free map[*request]bool, view *pairsView) (found []pair) {
	if len(view.began) < enoughPairs {
		return nil
	}
	var left []*call
	for _, c := range o.calls {
		if !c.decided && (c.queued == nil || free[c.queued]) {
			left = append(left, c)
		}
	}
	var requests []*request
	for _, r := range o.requests {
		if free[r] {
			requests = append(requests, r)
		}
	}
	left, requests = left[max(0, len(left)-maxLeft):], requests[max(0, len(requests)-maxLeft):]
	rows := make([][]share, len(left))
	for i, c := range left {
		c.queued = nil
		for j, r := range requests {
			if r.answers(&c.act) && (!c.byTask || r.coroutine == 0 || r.coroutine == c.origin.Task.Coroutine) {
				rows[i] = append(rows[i], share{r, view.share(pair{c, r}), j})
			}
		}
	}
	balance(rows, len(requests))
	for i, c := range left {
		for _, s := range rows[i] {
			if c.queued == nil || s.weight > c.queuedShare {
				c.queued, c.queuedShare = s.request, min(s.weight, writersConfidence)
			}
		}
		if c.queued != nil && c.queuedShare >= sure {
			found = append(found, pair{c, c.queued})
		}
	}
	return found
}

// pairsView are the moments of known pairs, each in order, and their distances.
type pairsView struct {
	began, read, ended, answered []int
	begins, ends                 tally
}

func newPairsView(pairs []pair) (v pairsView) {
	for _, p := range pairs {
		v.began, v.ended = append(v.began, p.call.lined.from), append(v.ended, p.call.lined.to)
		v.read, v.answered = append(v.read, p.request.lined.from), append(v.answered, p.request.lined.to)
	}
	for _, moments := range [][]int{v.began, v.ended, v.read, v.answered} {
		sort.Ints(moments)
	}
	for _, p := range pairs {
		begin, end := v.distance(p)
		v.begins.add(begin)
		v.ends.add(end)
	}
	return v
}

// distance returns how many more of the pairs had their calls begun than requests read when this call began, and this
// request was read, and the same of their ends.
func (v *pairsView) distance(p pair) (begin, end int) {
	before := func(moments []int, m int) int { return sort.SearchInts(moments, m) }
	c, r := p.call.lined, p.request.lined
	return before(v.began, c.from) - before(v.read, r.from), before(v.ended, c.to) - before(v.answered, r.to)
}

// share is how probable it is that a pair stands so.
func (v *pairsView) share(p pair) float64 {
	begin, end := v.distance(p)
	return v.begins.share(begin) * v.ends.share(end)
}

// confidence is that in a pair by the name of a task, which another task may have by now, given where the others
// stand. Of one that is wrong the distances are anything.
func (v *pairsView) confidence(p pair) float64 {
	const anywhere = 1.0 / span
	c := p.call
	if !c.byTask || len(v.began) < enoughPairs {
		return c.proposedShare
	}
	begin, end := v.distance(p)
	stands := func(share float64) float64 { return (1-detained)*share + detained*anywhere }
	right := c.proposedShare * stands(v.begins.without(begin)) * stands(v.ends.without(end))
	return min(c.proposedShare, right/(right+(1-c.proposedShare)*anywhere*anywhere))
}
