package causality

import (
	"slices"
	"sort"
)

const (
	// maxLined bounds the calls that are remembered, and the requests, maxLeft those of them that are compared
	// each with each.
	maxLined, maxLeft = 8192, 512
	// hopeless is the weight up to which a pair is not looked at: a hundredth of that of none.
	hopeless = astray / 100
	// detained is the share of requests, at each end, that stand anywhere because they wait for something else.
	detained = 0.01
	// alone is the weight of a pair from which on no other one is as good: measured, 99.9 % of these are right. Of those from 0.5 on it is
	// 65 to 90 %, whatever their weight, so nothing is said of them.
	alone = 0.985
	// matchRounds is how often what was found by the order is taken for known.
	matchRounds = 4
	// neighbours is how many known pairs, on both sides, tell where a call stands.
	neighbours = 3
	// undecidedFor is how many times as long calls are remembered that are not decided.
	undecidedFor = 5
)

// writersOrder is the order in which calls begin and end, and requests are read and answered.
//
// Each request makes one call. Where one thread runs all of the tasks, requests are taken in the order in which they
// were read, and answered in that in which their calls have ended, but for a few. So it is counted how many more calls began
// than requests were read before each pair of a call and its request that is known by who wrote both, and the same of their ends.
// A pair is the likelier, the less that differs from what it is of those around: so calls find their requests that
// another thread wrote, or whose responses it did, and pairs are doubted that stand where nearly none does, for one name
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
	view := o.view(pairs)
	pairs = slices.DeleteFunc(pairs, func(p pair) bool { return view.confidence(p) < reliable })
	view = o.view(pairs)
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
		view = o.view(pairs)
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

// tidy forgets all where nothing has happened for long.
func (o *writersOrder) tidy(now int64) {
	if now-o.now > undecidedFor*o.remembered {
		o.calls, o.requests = nil, nil
	}
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
	if len(view.begins) < enoughPairs {
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
	rows := view.rows(left, requests)
	balance(rows, len(requests))
	for i, c := range left {
		c.queued = nil
		for _, s := range rows[i] {
			if c.queued == nil || s.weight > c.queuedShare {
				c.queued, c.queuedShare = s.request, s.weight
			}
		}
		if c.queued == nil || c.queuedShare < alone {
			c.queued = nil
			continue
		}
		c.queuedShare = writersConfidence
		found = append(found, pair{c, c.queued})
	}
	return found
}

// pairsView is where known pairs stand among all calls and requests.
type pairsView struct {
	// began, read, ended and answered are all moments, each in order.
	began, read, ended, answered []int
	// begins and ends are how many more calls began, or ended, than requests were read, or answered, before each pair.
	begins, ends surplus
	// begun and over are the distances of the pairs at their ends.
	begun, over tally
}

func (o *writersOrder) view(pairs []pair) (v pairsView) {
	for _, c := range o.calls {
		v.began, v.ended = append(v.began, c.lined.from), append(v.ended, c.lined.to)
	}
	for _, r := range o.requests {
		v.read, v.answered = append(v.read, r.lined.from), append(v.answered, r.lined.to)
	}
	for _, moments := range [][]int{v.began, v.ended, v.read, v.answered} {
		sort.Ints(moments)
	}
	for _, p := range pairs {
		begin, end := v.surplus(p)
		v.begins.add(p.call.lined.from, begin)
		v.ends.add(p.call.lined.to, end)
	}
	v.begins.sort()
	v.ends.sort()
	for _, p := range pairs {
		begin, end := v.distance(p)
		v.begun.add(begin)
		v.over.add(end)
	}
	return v
}

// standing is how many calls began, or requests were read, before one of them, and how many ended, or were answered.
type standing struct{ begin, end int }

func before(moments []int, m int) int { return sort.SearchInts(moments, m) }

func (v *pairsView) ofCall(c *call) standing {
	return standing{before(v.began, c.lined.from), before(v.ended, c.lined.to)}
}

func (v *pairsView) ofRequest(r *request) standing {
	return standing{before(v.read, r.lined.from), before(v.answered, r.lined.to)}
}

// surplus returns how many more calls had begun than requests were read when this call began, and this request was read,
// and the same of their ends.
func (v *pairsView) surplus(p pair) (begin, end int) {
	c, r := v.ofCall(p.call), v.ofRequest(p.request)
	return c.begin - r.begin, c.end - r.end
}

// distance returns how far that is from what it is of the pairs around the call.
func (v *pairsView) distance(p pair) (begin, end int) {
	begin, end = v.surplus(p)
	return begin - v.begins.around(p.call.lined.from), end - v.ends.around(p.call.lined.to)
}

// rows returns for each call how probable it is that it stands so as a request's.
func (v *pairsView) rows(calls []*call, requests []*request) [][]share {
	begun, over := v.begun.shares(), v.over.shares()
	stand := make([]standing, len(requests))
	for j, r := range requests {
		stand[j] = v.ofRequest(r)
	}
	rows := make([][]share, len(calls))
	for i, c := range calls {
		at := v.ofCall(c)
		at.begin -= v.begins.around(c.lined.from)
		at.end -= v.ends.around(c.lined.to)
		for j, r := range requests {
			weight := begun.at(at.begin-stand[j].begin) * over.at(at.end-stand[j].end)
			if weight > hopeless && r.answers(&c.act) && (!c.byTask || r.coroutine == 0 || r.coroutine == c.origin.Task.Coroutine) {
				rows[i] = append(rows[i], share{r, weight, j})
			}
		}
	}
	return rows
}

// confidence is that in a pair by the name of a task, which another task may have by now, given where the others
// stand. Of one that is wrong the distances are anything.
func (v *pairsView) confidence(p pair) float64 {
	const anywhere = 1.0 / span
	c := p.call
	if !c.byTask || len(v.begins) < enoughPairs {
		return c.proposedShare
	}
	begin, end := v.distance(p)
	stands := func(share float64) float64 { return (1-detained)*share + detained*anywhere }
	right := c.proposedShare * stands(v.begun.without(begin)) * stands(v.over.without(end))
	return min(c.proposedShare, right/(right+(1-c.proposedShare)*anywhere*anywhere))
}

// surplus are those of pairs, by the moments of their calls.
type surplus []struct{ moment, more int }

func (s *surplus) add(moment, more int) {
	*s = append(*s, struct{ moment, more int }{moment, more})
}

func (s surplus) sort() {
	sort.Slice(s, func(i, j int) bool { return s[i].moment < s[j].moment })
}

// around returns the median of those next to a moment, without that of the pair that stands there itself.
func (s surplus) around(moment int) int {
	var near [2 * neighbours]int
	n := 0
	at := sort.Search(len(s), func(i int) bool { return s[i].moment >= moment })
	for i := at - 1; i >= 0 && i >= at-neighbours; i-- {
		near[n] = s[i].more
		n++
	}
	if at < len(s) && s[at].moment == moment {
		at++
	}
	for i := at; i < len(s) && i < at+neighbours; i++ {
		near[n] = s[i].more
		n++
	}
	if n == 0 {
		return 0
	}
	sort.Ints(near[:n])
	return near[n/2]
}
