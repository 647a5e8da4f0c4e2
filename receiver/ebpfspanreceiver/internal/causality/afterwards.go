package causality

// afterFor is how long after its response a request is said to be the cause of what its
// task does, in nanoseconds.
const afterFor = int64(10e9)

// afterwards is the rung of calls that begin after the response of their request was sent:
// they are nobody's children and begin a trace of their own, which is linked to it.
type afterwards struct {
	request    *request
	confidence float64
}

// recent reports whether r was answered not long before the act.
func (a *act) recent(r *request) bool {
	return r != nil && r.answered && a.origin.Time-r.exchange.End.Time < afterFor && !a.origin.Task.Thinned
}

// follows notes that the act followed r's response, unless a parent is found.
func (a *act) follows(r *request, confidence float64) {
	if a.recent(r) {
		a.after = afterwards{r, confidence}
	}
}

// alone settles that no request is the act's parent.
func (a *act) alone() {
	a.settle(nil, "", 0)
	a.nobodys = true
}

// related is what a call that has no parent is related to.
func (c *call) related() []Relation {
	if c.parent != nil || c.after.request == nil {
		return nil
	}
	return []Relation{{Exchange: c.after.request.exchange, Method: MethodAfterResponse, Confidence: c.after.confidence}}
}

// idle takes an act of a thread that has answered what it read.
// others says that tasks of the process have requests open: it may work for one of them.
func (t *thread) idle(a *act, m *aftermath, others bool) {
	if !t.evented(a) {
		confidence := threadConfidence
		if others {
			confidence = 0.9
		}
		a.follows(t.last, confidence)
		return
	}
	m.began(a, &t.spell)
	// A loop may have other things to do: only what it does at once is the response's.
	const atOnce = 1
	if r := t.last; r != nil && r.ended == t.step && a.origin.Task.Waits-r.exchange.End.Task.Waits <= atOnce {
		a.follows(r, threadConfidence)
	}
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
