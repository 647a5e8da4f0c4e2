package causality

// idles reports whether the act is extra, and nothing was done with its answer so far, or with the last of its sequence, in a loop that acts at
// once.
func (a *act) idles() bool { return a.leadsNowhere() && a.extra() }

// mayIdle reports whether that is so, or may turn out yet.
func (a *act) mayIdle() bool { return a.idles() || a.extra() && a.goesOn() }

// extra reports whether what was read leads to no such act as a rule, or the act follows on the answer to a call of which that is so.
func (a *act) extra() bool {
	if a.beyond() || a.unprompted() {
		return true
	}
	s := a.stimulus
	return a.nth == 0 && !s.mixed && !a.waitedForPool() && s.call != nil && !s.call.decided && s.call.thread != nil && s.call.extra()
}

// heeds counts how often the answers to calls that follow at once on what was read for a request lead to nothing, as the first of two at once
// do.
func (l *loop) heeds(a *act) {
	if s := a.stimulus; s != nil && a.nth == 0 && !s.mixed && !a.extra() {
		l.idle.add(a.leadsNowhere())
	}
}

// unheeded is what is left of the confidence in an act whose answer led to nothing, and that comes after what was read leads to as
// a rule: a timer's come behind any handler, while of requests' calls as few go unheeded as do of those that follow at once.
func (a *act) unheeded(p float64) float64 {
	if !a.idles() {
		return p
	}
	seen := &a.thread.loop.idle
	idle := (seen.right + 1) / (seen.total + 2)
	return p * idle / (p*idle + (1 - p))
}
