package causality

// final reports whether the belief will hardly change. Where the most likely request did not wait for the answer, what that
// leads to may tell that it is another one's.
func (a *act) final() bool {
	first, second, p, _ := a.belief.best()
	switch {
	case first == nil || !first.answered:
		return false
	case second == nil || second.answered:
		return true
	}
	return p > sure && a.waitedFor(first)
}

// clear reports whether the belief needs no more evidence.
func (a *act) clear() bool {
	_, _, p, _ := a.belief.best()
	return p >= sure
}

// conclude settles an act whose belief is final, once the loop's habits are known.
func (a *act) conclude(waited bool) {
	if a.writers != nil {
		a.writers.conclude(a, waited)
		return
	}
	if a.handoff != nil {
		a.handoff.conclude(a, waited)
		return
	}
	if a.byProof() {
		a.prove(waited, false)
		return
	}
	if a.origin.Task.Coroutine != 0 && a.open() {
		return // the response of its request will tell
	}
	if a.deed == nil {
		return
	}
	if q := &a.thread.loop.line; q.tells(a, !waited) {
		q.settle(a)
		return
	} else if q.willTell(a) && !waited {
		return // the response to its request will tell
	}
	if a.ripe(waited) {
		a.decideLoop()
	}
}

// ripe reports whether no more is to be learned of an act, or is not waited for any longer.
func (a *act) ripe(waited bool) bool {
	l := &a.thread.loop
	switch {
	case waited:
		return a.final() || a.claimed && a.ordered.answered
	case !a.final(), l.seen() < enough:
		return false
	case l.shared && a.stayed == 0:
		return false // what comes next may tell something else
	case a.clear() && a.through() && !a.mayIdle():
		return true
	}
	return l.fresh == 0 && a.followed() && (!a.extra() || a.over()) // else there is more to decode
}

// through reports whether the turn in which the answer was read has been decoded to its end.
func (a *act) through() bool {
	l := &a.thread.loop
	return l.fresh == 0 || a.response != nil && a.response.turn < l.through
}

// followed reports whether what the call's answer led to has been seen, as far as that is not long in coming. What is for
// a connection that many share may be written whenever that is ready.
func (a *act) followed() bool {
	l := &a.thread.loop
	return l.shared || a.response == nil || l.turn-a.response.turn > maxLagTurns
}

const (
	// sure is the probability from which on the decoder's word is taken as it is.
	sure = 0.95
	// clearly is the probability from which on what was known before an act, and what came after, must not differ.
	clearly = 0.8
	// unprompted is the share of no source from which on an act, as a timer's, rests on nothing that was read: then nothing was
	// known of it before.
	unprompted = 0.5
	// unconfirmed is the most that the order is believed without a response's word.
	unconfirmed = 0.8
)

// decideLoop settles the act by the decoder where that is sure. Where it is not, the
// order decides, with the confidence that it has earned, or the decoder's guess stands.
func (a *act) decideLoop() {
	if r, ok := a.ofConnector(); ok {
		a.settle(r, MethodConnect, threadConfidence)
		return
	}
	line := &a.thread.loop.line
	switch {
	case line.tells(a, false):
		line.settle(a)
		return
	case a.comesAlone() || a.worksAlone() || a.strange():
		a.alone()
		return
	}
	a.thread.loop.heeds(a)
	first, _, p, _ := a.belief.best()
	p = a.unheeded(a.thread.loop.doubted(line.doubted(p)))
	if a.dim() {
		p = min(p, unconfirmed)
	}
	earned := a.earned()
	switch {
	case p >= sure:
		a.settle(first, MethodLoop, p)
	case a.ordered != nil && a.ordered == first:
		a.settle(first, MethodLoop, 1-(1-p)*(1-earned))
	case a.ordered != nil && earned > p:
		a.settle(a.ordered, MethodLoop, against(earned, p))
	case first != nil:
		a.settle(first, MethodLoop, p)
	default:
		a.settle(nil, "", 0)
	}
}

// dim reports whether nothing that is told of the act is sure: a request that was not seen may have caused it.
func (a *act) dim() bool { return a.blindly || a.thread.loop.dim() }

// earned is how sure the order is of the act.
func (a *act) earned() float64 {
	l := &a.thread.loop
	earned := a.thread.order.earned()
	switch {
	case a.dim(), l.disorderly, a.deed != nil && l.queued(a.deed):
		return 0
	case (a.nth > 0 || a.extra()) && a.leadsNowhere(), a.ofAnotherTask(a.ordered):
		return 0 // the order takes each act for one that leads on
	case !a.claimed:
		earned = min(earned, unconfirmed)
	}
	if l.seen() > young {
		// The order takes each act for the consequence of something that was read.
		earned *= 1 - a.sourceless
	}
	return earned
}

// strays counts whether what was known before an act differed from what came after.
func (l *loop) strays(differed bool) {
	const memory = 32
	x := 0.0
	if differed {
		x = 1
	}
	l.astray += (x - l.astray) / memory
}

// doubted is what is left of the decoder's confidence where what was known before acts differs from what came after, more often
// than by chance: rows have slipped against each other then, and what decides may be the one that is wrong. Where what is known before
// acts is wrong as a rule, as behind timers of all lengths, it says nothing against what comes after.
func (l *loop) doubted(p float64) float64 {
	const chance, half = 0.1, 0.5
	if l.astray < chance || l.trust.share() < half {
		return p
	}
	return p * (1 - l.astray)
}

// against is the confidence in a guess that is right so often, where another one of which as much is
// known differs. That one's being wrong makes this one no surer: both may be.
func against(p, other float64) float64 {
	return min(p, p*(1-other)/(p*(1-other)+(1-p)*other))
}

// learn scores what was known before the act, and the order, by what is known now.
func (a *act) learn(l *loop, o *order, scratch *mixture) {
	first, _, p, _ := a.belief.best()
	if a.learned || first == nil || !first.answered || a.response == nil {
		return
	}
	a.learned = true
	if guess, _, q, _ := a.forth.best(); q > 0.5 {
		after := a.response.back.gathered(a.deed, scratch)
		if seen, _, r, _ := after.best(); r > 0.5 {
			l.trust.add(guess == seen)
			if min(q, r) > clearly && !l.queued(a.deed) && a.sourceless < unprompted {
				l.strays(guess != seen)
			}
		}
	}
	if a.ordered != nil {
		o.right.weigh(a.ordered == first, p*p)
	}
}

// decoded reports whether the loop's window was decoded since all that may have caused the
// call has ended.
func (c *call) decoded(now int64) bool {
	if c.closedAt == 0 {
		c.closedAt = now
	}
	if c.deed == nil || c.thread == nil {
		return true
	}
	l := &c.thread.loop
	if l.shared && l.line.willTell(&c.act) && now-c.closedAt < 2*patience {
		return false // the count may be trusted soon
	}
	return l.waited == 0 || l.fresh == 0 || l.decoded > c.closedAt
}

func (a *act) giveUp() {
	if a.writers != nil {
		a.writers.giveUp(a)
		return
	}
	if a.handoff != nil {
		a.handoff.giveUp(a)
		return
	}
	if a.deed == nil {
		a.settle(nil, "", 0)
		return
	}
	if a.byProof() {
		a.prove(true, true)
		return
	}
	a.decideLoop()
	if a.origin.Task.Coroutine != 0 && !a.waitedFor(a.parent) {
		a.settle(nil, "", 0)
	}
}

// byProof reports whether one request only was open, and what follows on the act proves that it was its.
func (a *act) byProof() bool { return a.sole != nil && a.thread != nil }

// prove settles such an act as far as can be now. over says that nothing more is to come.
func (a *act) prove(waited, over bool) {
	if a.origin.Task.Coroutine != 0 {
		a.concludeTask(waited, over)
		return
	}
	a.concludeSole(waited, over)
}

// waitedFor reports whether the call was answered before r was: a task that no task waits
// for may work for nobody.
func (a *act) waitedFor(r *request) bool {
	return r != nil && a.response != nil && a.response.complete && (r.responded == 0 || a.response.step < r.responded)
}

// nextBest takes the decoder's other candidate as the runner-up, where it has a chance.
func (c *call) nextBest() {
	const chance = 0.05
	first, second, p, q := c.belief.best()
	if first != c.parent {
		second, q = first, p
	}
	if c.parent != nil {
		q = min(q, 1-c.confidence) // other evidence may have decided
	}
	if second != nil && second != c.parent && q >= chance {
		c.runnerUp, c.runnerUpConfidence = second, q
	}
}
