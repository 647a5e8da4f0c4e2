package causality

// idles reports whether the act comes after what was read leads to as a rule, and nothing was done with its answer so far, in a loop
// that acts at once.
func (a *act) idles() bool { return a.leadsNowhere() && a.beyond() }

// heeds counts how often the answers to calls that follow at once on what was read lead to nothing, as the first of two at once do.
func (l *loop) heeds(a *act) {
	if s := a.stimulus; s != nil && a.nth == 0 && !s.mixed {
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
