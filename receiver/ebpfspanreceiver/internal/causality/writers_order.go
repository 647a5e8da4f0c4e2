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
	pairs = slices.DeleteFunc(pairs, func(c *call) bool { return view.confidence(c) < reliable })
	view = newPairsView(pairs)
	taken := make(map[*request]bool)
	for _, c := range o.calls {
		if c.decided && c.parent != nil {
			taken[c.parent] = true
		} else if !c.decided {
			c.queued = nil
		}
	}
	for _, c := range pairs {
		taken[c.proposed] = true
		c.queued, c.queuedShare = c.proposed, view.confidence(c)
	}
	o.match(taken, &view)
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

// pairs returns the calls whose request is known by who wrote both.
func (o *writersOrder) pairs() (known []*call) {
	for _, c := range o.calls {
		if c.proposed != nil && c.proposed.lined.from != 0 {
			known = append(known, c)
		}
	}
	return known
}

// match assigns the calls that are left to the requests that are.
func (o *writersOrder) match(taken map[*request]bool, view *pairsView) {
	if len(view.began) < enoughPairs {
		return
	}
	var left []*call
	for _, c := range o.calls {
		if !c.decided && c.queued == nil {
			left = append(left, c)
		}
	}
	var free []*request
	for _, r := range o.requests {
		if !taken[r] {
			free = append(free, r)
		}
	}
	left, free = left[max(0, len(left)-maxLeft):], free[max(0, len(free)-maxLeft):]
	rows := make([][]share, len(left))
	for i, c := range left {
		for j, r := range free {
			if r.answers(&c.act) && (!c.byTask || r.coroutine == 0 || r.coroutine == c.origin.Task.Coroutine) {
				rows[i] = append(rows[i], share{r, view.share(c, r), j})
			}
		}
	}
	balance(rows, len(free))
	for i, c := range left {
		for _, s := range rows[i] {
			if c.queued == nil || s.weight > c.queuedShare {
				c.queued, c.queuedShare = s.request, min(s.weight, writersConfidence)
			}
		}
	}
}

// pairsView are the moments of known pairs, each in order, and their distances.
type pairsView struct {
	began, read, ended, answered []int
	begins, ends                 tally
}

func newPairsView(pairs []*call) (v pairsView) {
	for _, c := range pairs {
		v.began, v.ended = append(v.began, c.lined.from), append(v.ended, c.lined.to)
		v.read, v.answered = append(v.read, c.proposed.lined.from), append(v.answered, c.proposed.lined.to)
	}
	for _, moments := range [][]int{v.began, v.ended, v.read, v.answered} {
		sort.Ints(moments)
	}
	for _, c := range pairs {
		begin, end := v.distance(c, c.proposed)
		v.begins.add(begin)
		v.ends.add(end)
	}
	return v
}

// distance returns how many more of the pairs had their calls begun than requests read when this call began, and this
// request was read, and the same of their ends.
func (v *pairsView) distance(c *call, r *request) (begin, end int) {
	before := func(moments []int, m int) int { return sort.SearchInts(moments, m) }
	return before(v.began, c.lined.from) - before(v.read, r.lined.from), before(v.ended, c.lined.to) - before(v.answered, r.lined.to)
}

// share is how probable it is that a pair stands so.
func (v *pairsView) share(c *call, r *request) float64 {
	begin, end := v.distance(c, r)
	return v.begins.share(begin) * v.ends.share(end)
}

// confidence is that in a pair by the name of a task, which another task may have by now, given where the others
// stand. Of one that is wrong the distances are anything.
func (v *pairsView) confidence(c *call) float64 {
	const anywhere = 1.0 / span
	if !c.byTask || len(v.began) < enoughPairs {
		return c.proposedShare
	}
	begin, end := v.distance(c, c.proposed)
	stands := func(share float64) float64 { return (1-detained)*share + detained*anywhere }
	right := c.proposedShare * stands(v.begins.without(begin)) * stands(v.ends.without(end))
	return min(c.proposedShare, right/(right+(1-c.proposedShare)*anywhere*anywhere))
}
