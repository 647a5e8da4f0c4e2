package causality

// An event loop acts soon on what it has read. What it does long after that comes of a timer,
// or of something else than a request which only stays open: long polling, streams of events.

const (
	// dormantAfter is after how long without anything read for it a request is dormant, in
	// nanoseconds.
	dormantAfter = int64(100e6)
	// dormantConfidence is that in a dormant request, though it is the only one that is open.
	dormantConfidence = 0.5
)

func (r *request) dormant(now int64) bool { return now-r.stirred.Time > dormantAfter }

// promptly reports whether the act follows at once on what was read for r. Only such calls
// wake a request up by their responses: others may be a timer's, again and again.
func (a *act) promptly(r *request) bool {
	const atOnce = int64(2e6)
	by, read := a.origin.Task, r.stirred.Task
	return by.Waits > 0 && by.Waits == read.Waits && by.TID == read.TID || a.origin.Time-r.stirred.Time < atOnce
}

// awake counts the open requests that are not dormant.
func (t *thread) awake(now int64) (n int) {
	for _, r := range t.requests {
		if !r.dormant(now) {
			n++
		}
	}
	return n
}

// withoutDormant returns the only request of open that is not dormant, where there is just
// one, else open. Where it is not known whose calls were, any of them may just have been answered
// for a request that seems dormant.
func (t *thread) withoutDormant(a *act, open []*request) []*request {
	if len(open) < 2 || t.awake(a.origin.Time) != 1 || t.loop.undecided() {
		return open
	}
	for _, r := range open {
		if !r.dormant(a.origin.Time) {
			return []*request{r}
		}
	}
	return open
}

// undecided reports whether calls in the window wait for a decision.
func (l *loop) undecided() bool {
	for _, x := range l.deeds {
		if x.act != nil && !x.act.decided {
			return true
		}
	}
	return false
}
