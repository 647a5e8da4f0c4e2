package causality

import "slices"

// A call may serve many requests: a loader that gathers what they ask for, a cache that lets
// one of them ask. Such a call is linked to each request that it served. Its parent is the one
// that began it where that is beyond doubt, and none otherwise: in an event loop the
// first response that follows says nothing of who began.

const (
	// maxServices bounds the requests that one call is linked to.
	maxServices = 256
	// inTurnConfidence is that in requests whose responses follow in the same turn of a loop.
	inTurnConfidence = 0.98
	// woken is the confidence in a request whose goroutine was woken by who made the call.
	wokenConfidence = 0.97
	// holdFor is how long an ended call waits for those that it serves, in nanoseconds.
	holdFor = int64(50e6)
	// carriedFor is how long it does while its result is with goroutines that have not responded yet.
	carriedFor = int64(500e6)
)

// service is a request that a call served, though another one may have begun it.
type service struct {
	request    *request
	method     Method
	confidence float64
}

// serves notes that the call served r.
func (c *call) serves(r *request, method Method, confidence float64) {
	if len(c.served) < maxServices && !slices.ContainsFunc(c.served, func(s service) bool { return s.request == r }) {
		c.served = append(c.served, service{r, method, confidence})
	}
}

// shared reports whether the call served more requests than its parent.
func (c *call) shared() bool {
	if c.begun() {
		return slices.ContainsFunc(c.served, func(s service) bool { return s.request != c.parent })
	}
	return len(c.served) > 1
}

// begun reports whether it is beyond doubt who began the call.
func (c *call) begun() bool {
	return c.parent != nil && c.confidence >= sure && c.method != MethodLoop && c.method != MethodHandoff && c.method != MethodStatistical
}

// fansIn takes the parent away that may be any of those that the call served. Where a loop gathers what requests ask for, its decoder
// finds no rhythm; but a call whose answer led to one response is that request's.
func (c *call) fansIn() {
	switch {
	case c.shared() && !c.begun():
		c.alone()
		c.after, c.runnerUp = afterwards{}, nil
	case c.only != nil && c.confidence < sure && c.batch != nil && c.batch.gathers() && c.candidate(c.only):
		c.settle(c.only, MethodLoop, inTurnConfidence)
		c.runnerUp = nil
	}
}

// servedOthers are the relations to the requests that a call served besides its parent.
func (c *call) servedOthers() (related []Relation) {
	if !c.shared() {
		return nil
	}
	for _, s := range c.served {
		if s.request != c.parent {
			related = append(related, Relation{s.request.exchange, s.method, s.confidence})
		}
	}
	return related
}

// batch is what one turn of an event loop makes of the response to a call. The responses that
// follow it in the same turn, with nothing read in between, are due to it: if
// there are several, the call was for several requests.
type batch struct {
	// last is the call whose response was read last, and call the same once it is complete.
	last, call *call
	// waits is the turn; acted says that something was done since the last that was read in it, and
	// unclear that something read in it has led to nothing yet.
	waits          uint32
	acted, unclear bool
	served         []*request
	// several tells how many of the calls that led to responses served several requests.
	several agreement
}

// gathers reports whether it is the loop's way to call for several requests at once.
func (b *batch) gathers() bool {
	const least, part = 4, 0.1
	return b.several.right >= least && b.several.share() > part
}

// reads takes something that the loop reads: a call's response, or a request where c is nil.
func (b *batch) reads(c *call, complete bool, waits uint32) {
	if c == nil || c != b.last || waits != b.waits || b.acted {
		b.unclear = waits == b.waits && (b.unclear || !b.acted && b.last != nil)
		if len(b.served) > 0 {
			b.several.add(len(b.served) > 1)
		}
		b.waits, b.acted, b.last, b.call = waits, false, c, nil
		b.served = b.served[:0]
	}
	if complete {
		b.call = c
	}
}

// acts takes a call that the loop makes: it goes on with one request.
func (b *batch) acts() { b.acted, b.call = true, nil }

// responds takes the first byte of a response.
func (b *batch) responds(r *request, waits uint32) {
	b.acted = true
	c := b.call
	if c == nil || waits == 0 || waits != b.waits || b.unclear || r.read.Task.Waits == waits || r.read.Time > c.exchange.End.Time {
		return
	}
	if b.served = append(b.served, r); len(b.served) == 1 {
		c.only = r
		return
	}
	c.only = nil
	for _, s := range b.served {
		c.serves(s, MethodLoop, inTurnConfidence)
	}
}

// held reports whether an ended call still waits for requests that it may have served.
func (c *call) held(now int64) bool {
	return now < c.heldUntil || c.heldUntil > 0 && c.carriers > 0 && now < c.endedAt+carriedFor ||
		c.batch != nil && c.batch.call == c && now < c.endedAt+holdFor
}

// holds reports whether an ended call must wait for the requests that it may serve.
func (p *process) holds(c *call) bool {
	by := c.exchange.Response.Last.Task
	if p.byGoroutine(by) {
		if p.sharing.wanted < c.endedAt || c.method != MethodGoroutine {
			return false
		}
		c.heldUntil = c.endedAt + holdFor
		return true
	}
	t := p.threads[by.TID]
	if t == nil || len(t.requests) <= 1 {
		return false
	}
	c.batch = &t.batch
	return true
}
