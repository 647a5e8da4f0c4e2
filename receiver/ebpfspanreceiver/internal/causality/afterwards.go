package causality

// afterFor is how long after its response a request is said to be the cause of what its
// task does, in nanoseconds.
const afterFor = int64(10e9)

// sharedConfidence is that in a thread which may also work for others' requests.
const sharedConfidence = 0.9

// afterwards is the rung of calls that begin after the response of their request was sent:
// they are nobody's children and begin a trace of their own, which is linked to it.
type afterwards struct {
	request    *request
	confidence float64
	// open is the request that it may be of instead, with a probability of 1 - doubt; nil where there was none.
	open  *request
	doubt float64
	// among are the calls of an event loop that may be the request's, nil for others.
	among *follower
	// sibling is a goroutine that the task which served the request started, nil for others.
	sibling *sibling
}

// known reports whether it is known that the call follows a request.
func (f *afterwards) known() bool { return f.request != nil || f.sibling != nil }

// waits reports whether what comes in a moment may tell better which request the call follows.
func (c *call) waits() bool {
	n := c.after.sibling
	if n == nil || !c.decided || c.parent != nil {
		return false
	}
	n.follows(c.endedAt)
	return n.p < sure
}

// follow has a goroutine's call follow the request that the goroutine is of, unless it has a parent.
func (c *call) follow(now int64) {
	n := c.after.sibling
	if n == nil {
		return
	}
	if c.parent != nil {
		n.given = true
		return
	}
	n.follows(now)
	if c.recent(n.request) {
		c.after.request, c.after.confidence = n.request, n.sureness()*n.of.goroutines.offspring.trust()
	}
	n.leaves()
}

// sureness is the confidence in a call's following the request. Who waits for its calls is not answered before them: what
// outlives the other request is not of that.
func (f *afterwards) sureness(c *call) float64 {
	if f.open == nil || f.open.answeredBefore(c) {
		return f.confidence
	}
	return f.doubt * f.confidence
}

// recent reports whether r was answered not long before the act.
func (a *act) recent(r *request) bool {
	return r != nil && r.answered && a.since(r) < afterFor && !a.origin.Task.Thinned
}

// follows notes that the act followed r's response, unless a parent is found.
func (a *act) follows(r *request, confidence float64) {
	if a.recent(r) {
		a.after = afterwards{request: r, confidence: confidence}
	}
}

// alone settles that no request is the act's parent.
func (a *act) alone() {
	a.settle(nil, "", 0)
	a.nobodys = true
}

// related is what a call is related to besides its parent.
func (c *call) related() []Relation {
	if c.shared() {
		return c.servedOthers()
	}
	if c.parent != nil || c.after.request == nil || c.after.among.crowded() {
		return nil
	}
	return []Relation{{Exchange: c.after.request.exchange, Method: MethodAfterResponse, Confidence: c.after.sureness(c)}}
}

// idle takes an act of a thread that has answered what it read. others says that tasks of
// the process have requests open: it may work for one of them.
func (t *thread) idle(a *act, m *aftermath, others bool) {
	if t.evented(a) {
		m.began(a, &t.spell)
		if a.stimulus == nil && !a.blind() && a.call != nil && !a.call.exchange.Opens { // pools open connections when they are made
			t.reacts.later.add(false)
		}
		if r := t.lately(a); r != nil {
			a.follows(r, threadConfidence*m.prompt(a, &t.spell))
			a.after.among = m.crowd(a, r)
		}
		return
	}
	confidence := threadConfidence
	if others {
		confidence = sharedConfidence
	}
	a.follows(t.last, confidence)
}

// lately returns the request that a loop answered just before the act, if that was the only one.
func (t *thread) lately(a *act) *request {
	const much = 4
	r, e := t.last, t.earlier
	switch {
	case r == nil:
		return nil
	case a.turnsSince(r) > freshTurns || a.origin.Task.Waits == 0 && t.step != r.ended:
		return nil
	case e != nil && (a.turnsSince(e) <= freshTurns && a.origin.Task.Waits > 0 || a.since(e) < much*a.since(r)):
		return nil
	}
	return r
}

// turnsSince and since are how many turns and nanoseconds ago r was answered.
func (a *act) turnsSince(r *request) uint32 {
	return a.origin.Task.Waits - r.exchange.End.Task.Waits
}

func (a *act) since(r *request) int64 { return a.origin.Time - r.exchange.End.Time }

// outlived reports whether a call that may be nobody's ended after the response to the
// request that it was given to, as calls in the background do.
func (c *call) outlived() bool {
	return c.suspect && c.parent != nil && c.parent.answeredBefore(c)
}

// answeredBefore reports whether a request was answered before a call ended.
func (r *request) answeredBefore(c *call) bool {
	return r.answered && r.exchange.End.Time < c.endedAt
}

// evented reports whether the thread works on more than one thing at a time.
func (t *thread) evented(a *act) bool { return t.several || a.origin.Task.Waits > 0 }

// doubt is how probable it is that the act is no open request's.
func (t *thread) doubt(a *act, m *aftermath) float64 {
	if !t.evented(a) {
		return 0
	}
	return m.doubt(a, &t.spell)
}
