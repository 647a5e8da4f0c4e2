package causality

import (
	"slices"
)

// line tells whether a loop makes as many calls for each request, in the order in which it has read them,
// however many turns later: a proxy that bounds what it does in a turn goes on in the next one
// where it stopped, and what it does in a turn is then no telling what it read in that turn.
//
// Requests and calls are counted, from a moment on at which nothing is open. In such a loop the number of a call is
// that of its request. That it is so is told by the responses: when one is written, the responses to the
// calls with its number must have been read. A request without a call, or a call without a request, makes it lose
// count until nothing is open again.
//
// Several calls for each request are in this order where connections are shared: what is to be written on one is
// written as it comes. The response must follow on the last of their responses then.
type line struct {
	// requests and calls are how many there were.
	requests, calls uint64
	// fan is how many calls each request makes, less one, most the most that it was, and rested what it was when
	// nothing was open.
	fan, most, rested uint64
	// ready are the calls whose responses were read and led to nothing yet, by the number of their request,
	// and complete is how many requests have them all.
	ready    map[uint64]*reading
	complete int
	// shared says that connections are, missed that a request was not seen since nothing was open.
	shared, missed bool
	// counting says that the count was not lost, began is the number of the first request and call since, and
	// told says that something was told since.
	counting, told bool
	began          uint64
	// answered counts responses, kept tells how often the count was right. What is to be expected by
	// chance is left out.
	answered uint64
	kept     agreement
	// tried is what is not in kept yet: it counts once as many calls as requests were made.
	tried agreement
	// held are the calls that it told last.
	held [lineHold][]*call
	// decoder tells how often the decoder was right where it was sure.
	decoder agreement
}

// reading are the calls of one request whose responses were read, and in which turns.
type reading struct {
	calls []*call
	turns []int
}

const (
	// maxReady bounds the requests that wait for their response.
	maxReady = 1024
	// maxFan bounds the calls for each request.
	maxFan = 8
	// lineKept is the least share of responses for which the count must be right, of so many, and lineCredit how many
	// are taken for right beforehand to tell how sure it is.
	lineKept, lineEnough, lineCredit = 0.97, 24, 20
	// lineRefuted is for how many wrong ones it counts that more calls than requests were made: several calls for a
	// request may look like one for each until then.
	lineRefuted = 40
	// lineHold is for how many responses more it must be right before one is taken for sure: once it is lost it may
	// still be right by chance.
	lineHold = 8
	// lineSoon is how many turns after the last response of several calls theirs is written at most.
	lineSoon = 1
)

// each is how many calls a request makes.
func (q *line) each() uint64 { return q.fan + 1 }

// since is how many requests and calls were counted.
func (q *line) since() (requests, calls uint64) {
	return q.requests + 1 - q.began, q.calls + 1 - q.began
}

// requestOf is the number of the request that made a call.
func (q *line) requestOf(number uint64) uint64 { return q.began + (number-q.began)/q.each() }

// reads counts a request, with so many others open.
func (q *line) reads(r *request, others int) {
	if others == 0 {
		q.rest()
		q.calls = q.requests
		q.forget()
		q.counting, q.told, q.missed, q.began = true, false, false, q.requests+1
	}
	q.requests++
	r.number = q.requests
}

// rest takes that nothing is open: each request has made its calls, so that it is known how many.
func (q *line) rest() {
	requests, calls := q.since()
	if calls == requests*q.each() && !q.missed {
		if q.rested = q.fan; q.counting {
			q.count()
		}
		return
	}
	if q.counting {
		q.lose()
	}
	switch {
	case !q.shared:
	case q.missed:
		q.fan, q.most, q.kept = q.rested, q.rested, agreement{} // what was counted says nothing
	case requests >= lineHold && calls >= requests && calls%requests == 0 && calls/requests <= maxFan:
		q.fan, q.kept = calls/requests-1, agreement{}
		q.most, q.rested = max(q.most, q.fan), q.fan
	}
}

// miss takes that a request was not seen: it cannot be counted.
func (q *line) miss() {
	if q.counting {
		q.lose()
	}
	q.missed = true
}

// waitsLast counts a request anew, as the last of those that were read, unless it may have called, and reports whether
// it cannot have: those of which all was read before made all calls that there were.
func (q *line) waitsLast(r *request, open []*request) (idle bool) {
	if r.number < q.began {
		return false
	}
	if q.began+(r.number-q.began)*q.each() <= q.calls && !q.accounted(open) {
		return false
	}
	for _, o := range open {
		if o.number > r.number {
			o.number--
		}
	}
	r.number = q.requests
	return q.counting
}

// accounted reports whether the requests of which all was read before made all calls. One was just read.
func (q *line) accounted(open []*request) bool {
	if !q.counting {
		return false
	}
	requests, calls := q.since()
	whole := requests - 1
	for _, o := range open {
		if o.number >= q.began && !o.exchange.Request.Complete && whole > 0 {
			whole--
		}
	}
	return calls <= whole*q.each()
}

// acts counts a call or a connect, unless it is of a task that works for nobody. None can be made before its request was
// read. shared says that connections are.
func (q *line) acts(a *act, shared bool) {
	if a.worksAlone() {
		return
	}
	q.calls++
	a.number, q.shared = q.calls, shared
	if !q.counting {
		return
	}
	requests, calls := q.since()
	if calls > requests*q.each() {
		q.more(shared)
	}
	if q.counting && calls == requests*q.each() {
		q.count()
	}
}

// more takes that a request makes more calls than was supposed.
func (q *line) more(shared bool) {
	fresh, told := q.fan >= q.most, q.told
	switch {
	case !shared || q.each() >= maxFan:
		q.lose()
		q.kept = agreement{total: lineRefuted}
		q.fan, q.most = 0, 0
		return
	case told:
		q.lose()
	}
	q.fan++
	q.most = max(q.most, q.fan)
	q.tried, q.kept = agreement{}, agreement{}
	if told || !fresh {
		q.kept.total = lineRefuted
	}
	q.regroup()
}

// regroup counts the responses that were read anew.
func (q *line) regroup() {
	before := q.ready
	q.ready, q.complete = nil, 0
	for _, g := range before {
		for i, c := range g.calls {
			q.take(c, g.turns[i])
		}
	}
}

// retract takes back an act that was none, with all that were counted after it.
func (q *line) retract(a *act, deeds []*deed) {
	if a.number == 0 || a.number < q.began {
		return
	}
	q.calls--
	for _, x := range deeds {
		if x.act != nil && x.act.number > a.number {
			x.act.number--
		}
	}
	q.regroup()
}

// count takes what was tried for kept.
func (q *line) count() {
	q.kept.join(q.tried)
	q.tried = agreement{}
}

// completes takes a call whose response was read in a turn.
func (q *line) completes(c *call, turn int) {
	if q.counting && c.number >= q.began && len(q.ready) < maxReady {
		q.take(c, turn)
	}
}

func (q *line) take(c *call, turn int) {
	if q.ready == nil {
		q.ready = make(map[uint64]*reading)
	}
	number := q.requestOf(c.number)
	g := q.ready[number]
	if g == nil {
		g = &reading{}
		q.ready[number] = g
	}
	g.calls, g.turns = append(g.calls, c), append(g.turns, turn)
	if uint64(len(g.calls)) == q.each() {
		q.complete++
	}
}

// responds takes the begin of a response in a turn, with so many requests open.
func (q *line) responds(r *request, open, turn int) {
	q.answered++
	if !q.counting {
		return
	}
	g := q.ready[r.number]
	if g == nil || uint64(len(g.calls)) != q.each() || q.fan > 0 && turn-slices.Max(g.turns) > lineSoon {
		q.lose()
		return
	}
	q.tried.weigh(true, max(0, 1-float64(q.complete)/float64(max(open, 1))))
	for _, c := range g.calls {
		c.counted, c.countedAt = r, q.answered
	}
	q.held[q.answered%lineHold] = g.calls
	q.told = true
	q.complete--
	delete(q.ready, r.number)
	if requests, calls := q.since(); q.shared && calls == requests*q.each() {
		q.count()
	}
}

// lose gives the count up, and takes back what it told last.
func (q *line) lose() {
	q.kept.add(false)
	q.counting, q.tried = false, agreement{}
	for _, calls := range q.held {
		for _, c := range calls {
			c.counted = nil
		}
	}
	q.forget()
}

// forget forgets what was read and told.
func (q *line) forget() {
	clear(q.ready)
	q.complete, q.held = 0, [lineHold][]*call{}
}

// trusted reports whether the loop was seen to make its calls in this order.
func (q *line) trusted() bool {
	return q.kept.total >= lineEnough && q.kept.right >= lineKept*q.kept.total
}

// tells reports whether the count says whose the call is, for sure where it was right for a while since. It takes each call for
// a request's, so it has no say about tasks that work for nobody, or began no response.
func (q *line) tells(a *act, sure bool) bool {
	held := a.number < q.began || q.answered-a.countedAt >= lineHold
	return a.counted != nil && a.counted.answered && q.trusted() && (!sure || held) && !a.worksAlone() && !a.ofAnotherTask(a.counted)
}

// willTell reports whether it is worth while to wait for the response to the act's request.
func (q *line) willTell(a *act) bool {
	return q.counting && a.number >= q.began && (q.trusted() || q.shared)
}

// settle decides an act by the count, and scores the decoder by it.
func (q *line) settle(a *act) {
	if first, _, p, _ := a.belief.best(); p >= sure {
		q.decoder.add(first == a.counted)
	}
	if q.shared {
		a.thread = nil // the decoder learns from it
	}
	a.settle(a.counted, MethodLoop, credited(q.kept))
}

// doubted is what is left of the decoder's confidence: in a loop that falls behind it may be wrong often.
func (q *line) doubted(p float64) float64 {
	if !q.trusted() {
		return p
	}
	return p * credited(q.decoder)
}

// credited is the share that was right, where some are taken for right beforehand.
func credited(a agreement) float64 { return (a.right + lineCredit) / (a.total + lineCredit + 0.01) }
