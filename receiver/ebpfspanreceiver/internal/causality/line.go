package causality

import "slices"

// line tells whether a loop makes one call for each request, in the order in which it has read them,
// however many turns later: a proxy that bounds what it does in a turn goes on in the next one
// where it stopped, and what it does in a turn is then no telling what it read in that turn.
//
// Requests and calls are counted, from a moment on at which nothing is open. In such a loop the number of a call is
// that of its request. That it is so is told by the responses: when one is written, the response to the
// call with its number must have been read. A request without a call, or a call without a request, makes it lose
// count until nothing is open again.
type line struct {
	// requests and calls are how many there were.
	requests, calls uint64
	// ready are the calls whose responses were read and led to nothing yet.
	ready []*call
	// counting says that the count was not lost, began is the number of the first request since.
	counting bool
	began    uint64
	// answered counts responses, kept tells how often the count was right. What is to be expected by
	// chance is left out.
	answered uint64
	kept     agreement
	// tried is what is not in kept yet: it counts once as many calls as requests were made.
	tried agreement
	// held are the calls that it told last.
	held [lineHold]*call
	// decoder tells how often the decoder was right where it was sure.
	decoder agreement
}

const (
	// maxReady bounds the calls that wait for the response to their request.
	maxReady = 1024
	// lineKept is the least share of responses for which the count must be right, of so many, and lineCredit how many
	// are taken for right beforehand to tell how sure it is.
	lineKept, lineEnough, lineCredit = 0.97, 24, 20
	// lineRefuted is for how many wrong ones it counts that more calls than requests were made: several calls for a
	// request may look like one for each until then.
	lineRefuted = 40
	// lineHold is for how many responses more it must be right before one is taken for sure: once it is lost it may
	// still be right by chance.
	lineHold = 8
)

// reads counts a request, with so many others open.
func (q *line) reads(r *request, others int) {
	if others == 0 {
		if q.counting && q.calls != q.requests {
			q.lose()
		}
		q.count()
		q.calls, q.ready = q.requests, q.ready[:0]
		q.counting, q.began = true, q.requests+1
		q.held = [lineHold]*call{}
	}
	q.requests++
	r.number = q.requests
}

// waitsLast counts a request anew, as the last of those that were read, unless it may have called.
func (q *line) waitsLast(r *request, open []*request) {
	if r.number <= q.calls {
		return
	}
	for _, o := range open {
		if o.number > r.number {
			o.number--
		}
	}
	r.number = q.requests
}

// acts counts a call or a connect. None can be made before its request was read.
func (q *line) acts(a *act) {
	q.calls++
	a.number = q.calls
	switch {
	case !q.counting:
	case q.calls > q.requests:
		q.lose()
		q.kept = agreement{total: lineRefuted}
	case q.calls == q.requests:
		q.count()
	}
}

// count takes what was tried for kept.
func (q *line) count() {
	q.kept.join(q.tried)
	q.tried = agreement{}
}

// completes takes a call whose response was read.
func (q *line) completes(c *call) {
	if q.counting && c.number >= q.began && len(q.ready) < maxReady {
		q.ready = append(q.ready, c)
	}
}

// responds takes the begin of a response, with so many requests open.
func (q *line) responds(r *request, open int) {
	q.answered++
	if !q.counting {
		return
	}
	i := slices.IndexFunc(q.ready, func(c *call) bool { return c.number == r.number })
	if i < 0 {
		q.lose()
		return
	}
	q.tried.weigh(true, max(0, 1-float64(len(q.ready))/float64(max(open, 1))))
	c := q.ready[i]
	c.counted, c.countedAt = r, q.answered
	q.held[q.answered%lineHold] = c
	q.ready = slices.Delete(q.ready, i, i+1)
}

// lose gives the count up, and takes back what it told last.
func (q *line) lose() {
	q.kept.add(false)
	q.counting, q.ready, q.tried = false, q.ready[:0], agreement{}
	for _, c := range q.held {
		if c != nil {
			c.counted = nil
		}
	}
	q.held = [lineHold]*call{}
}

// trusted reports whether the loop was seen to make its calls in this order.
func (q *line) trusted() bool {
	return q.kept.total >= lineEnough && q.kept.right >= lineKept*q.kept.total
}

// tells reports whether the count says whose the call is, for sure where it was right for a while since.
func (q *line) tells(a *act, sure bool) bool {
	held := a.number < q.began || q.answered-a.countedAt >= lineHold
	return a.counted != nil && a.counted.answered && q.trusted() && (!sure || held)
}

// willTell reports whether it is worth while to wait for the response to the act's request.
func (q *line) willTell(a *act) bool { return q.counting && a.number >= q.began && q.trusted() }

// settle decides an act by the count, and scores the decoder by it.
func (q *line) settle(a *act) {
	if first, _, p, _ := a.belief.best(); p >= sure {
		q.decoder.add(first == a.counted)
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
