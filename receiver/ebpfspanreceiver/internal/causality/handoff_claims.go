package causality

import "slices"

const (
	// handoffSelf is the confidence where who has the answer to the call writes the response.
	handoffSelf = 0.99
	// handoffBoth is that where the request's task woke the worker, or the worker took the job from
	// it, and the result came to it afterwards.
	handoffBoth = 0.99
	// handoffBack is the most for the backward view alone, handoffDoubt that where several requests
	// claim a call alike, or where the views differ.
	handoffBack, handoffDoubt = 0.98, 0.5
	// handoffOdd is the most for the backward view where the result came in an unusual manner: measured, 96.6 % of these are right,
	// and less than nine in ten while a pool starts many threads.
	handoffOdd = 0.88
	// handoffMost is the most for both together with what the way of the result and the places of calls tell.
	handoffMost = 0.998
	// reliable is the share of confirmed guesses from which on the forward view has a say, and the
	// confidence from which on a call counts as known.
	reliable = 0.9
	// enoughRequests is from how many requests on it is known that they make one call of a kind.
	enoughRequests = 20
)

// claimed is a request that was answered by who held a call's result.
type claimed struct {
	request *request
	// late, hops and older are those of the result.
	late  uint16
	hops  uint8
	older bool
	// via and manner are those of the result.
	via    *futex
	manner manner
	// crowded says that who answered serves several requests at a time.
	crowded bool
}

// nearer reports whether a result came a shorter way, or a more direct one.
func (c *claimed) nearer(o *claimed) bool {
	return c.hops < o.hops || c.hops == o.hops && c.late < o.late
}

// conclude settles a call that was claimed, once no other request can claim it. Where several
// have, those that come to a call of their own meanwhile are none of them. A call that nobody
// claimed waits as long, so that the calls around it are known.
func (h *handoff) conclude(a *act, waited bool) {
	c := a.call
	h.forget(c)
	over := waited || !h.candidates(a)
	if len(c.claims) == 0 {
		c.unsettled = over && !h.placed(c, waited)
		if waited {
			h.jobs.habit(c).chances.misses(c)
		}
		if waited && c.queued != nil && c.queuedShare > reliable {
			h.giveUp(a) // what weaker rungs say comes late, and does not count
		}
		return
	}
	c.unsettled = !waited && c.contested()
	if over && !c.unsettled {
		h.giveUp(a)
	}
}

// forget drops claims of results that were older ones, where a job brings one result only, and those by wake-ups of which
// it is known by now that they handed a lock over.
func (h *handoff) forget(c *call) {
	if len(c.claims) == 0 {
		return
	}
	serial := h.jobs.habit(c).serial()
	c.claims = slices.DeleteFunc(c.claims, func(o claimed) bool { return o.older && !serial || o.via != nil && o.via.isLock() })
}

// contested reports whether several requests claim the call, or one that claims others like it.
func (c *call) contested() bool {
	return slices.ContainsFunc(c.claims, func(o claimed) bool {
		return o.request != c.claims[0].request || sameKind(o.request.claims, c)
	})
}

// placed reports whether there is no more to learn of a call from its place among the others.
func (h *handoff) placed(c *call, waited bool) bool {
	switch {
	case !h.queue.lose(c):
		return true
	case !waited:
		return false
	case h.queue.assigned(c):
		return true
	}
	h.queue.due = true
	return false
}

// giveUp settles a call by the best of its claims and by who ordered it.
func (h *handoff) giveUp(a *act) {
	c := a.call
	h.forget(c)
	if len(c.claims) > 0 {
		h.jobs.habit(c).lost.add(false)
		h.jobs.habit(c).chances.learn(c)
	}
	most := h.most(c)
	if c.exchange.Datagram != 0 && a.crowd {
		most = min(most, unconfirmed) // the lookups of a pool's threads are all alike, and there are two for each name
	}
	h.ties(c)
	if r, confidence := h.verdict(c); r != nil {
		h.jobs.habit(c).ways.learn(c, r)
		c.settle(r, MethodHandoff, min(confidence, most))
		h.took(c)
	} else {
		c.settle(nil, "", 0)
	}
	c.statistics.decided(c)
}

// verdict returns whose a call is, nil where that is not known.
func (h *handoff) verdict(c *call) (r *request, confidence float64) {
	best, rival := h.best(c)
	forth := h.forth.share()
	switch {
	case best != nil && best.request != c.order && h.tied(c, best):
		return best.request, handoffDoubt
	case best == nil && c.queued != nil:
		return c.queued, c.queuedShare
	case best == nil:
		return c.order, forth
	case c.order == nil && rival == nil:
		return best.request, h.queue.confirm(c, best.request, h.back(c, best))
	case c.order == nil:
		return best.request, handoffDoubt
	case rival == nil:
		h.forth.add(c.order == best.request)
	}
	switch {
	case c.order == best.request:
		right := h.chance(c, best)
		right = right * forth / (right*forth + (1-right)*(1-forth)) // both views may be wrong, but hardly at once
		return best.request, min(right, h.jobs.habit(c).ways.confirm(best, handoffBoth))
	case forth > reliable && c.claimedBy(c.order):
		return c.order, forth
	case rival == nil && h.jobs.habit(c).once() && c.order.hasOther(c):
		// It made its call of the kind already: the worker was woken by who had it before.
	case forth > reliable || rival != nil:
		return best.request, handoffDoubt
	}
	return best.request, h.queue.confirm(c, best.request, h.back(c, best))
}

// back is the confidence in a claim without a rival: how often such a claim was not refuted, and how usual its way is.
func (h *handoff) back(c *call, by *claimed) float64 {
	if by.crowded {
		return handoffDoubt
	}
	upheld := min(handoffBack, (h.upheld.right+benefit)/(h.upheld.total+benefit+0.2))
	ways := &h.jobs.habit(c).ways
	confidence := min(h.chance(c, by), ways.confirm(by, upheld))
	if c.crowd && !ways.at(by).customs.keeps(by.manner) {
		return min(confidence, handoffOdd)
	}
	return confidence
}

// chance is how much a claim is believed at most, as it may be by chance. Where one request only was open there is no other's.
func (h *handoff) chance(c *call, by *claimed) float64 {
	if !c.crowd {
		return 1
	}
	return h.jobs.habit(c).chances.most(by)
}

func (c *call) claimedBy(r *request) bool {
	return slices.ContainsFunc(c.claims, func(o claimed) bool { return o.request == r })
}

// took takes a call that was settled.
func (h *handoff) took(c *call) {
	if c.confidence <= reliable {
		return
	}
	h.taken++
	h.queue.more = true
	habit := h.jobs.habit(c)
	if c.parent.made(c) {
		habit.more++
	} else {
		habit.first++
	}
	c.parent.handed = append(c.parent.handed, c)
}

// made reports whether a request is known to have made another call of this kind.
func (r *request) made(c *call) bool { return sameKind(r.handed, c) }

// hasOther reports whether another call of c's kind is the request's: it is known to be, or nobody else claims it.
func (r *request) hasOther(c *call) bool {
	return r.made(c) || slices.ContainsFunc(r.claims, func(o *call) bool {
		return o != c && len(o.claims) == 1 && o.endpoint(false) == c.endpoint(false)
	})
}

// sameKind reports whether there is another call of c's kind among some.
func sameKind(calls []*call, c *call) bool {
	return slices.ContainsFunc(calls, func(o *call) bool { return o != c && o.endpoint(false) == c.endpoint(false) })
}

// prefers reports whether another call of this kind came to the request a nearer way, or the same
// when nobody else claims that one.
func (r *request) prefers(to *call, by *claimed) bool {
	for _, o := range r.claims {
		if o == to || o.endpoint(false) != to.endpoint(false) {
			continue
		}
		for i := range o.claims {
			its := &o.claims[i]
			if its.request == r && (its.nearer(by) || len(o.claims) == 1 && len(to.claims) > 1 && !by.nearer(its)) {
				return true
			}
		}
	}
	return false
}

// tied reports whether the result of another call of the kind came to the request in the same way, where requests make one: who
// answers one request and then another may take both results at once.
func (h *handoff) tied(c *call, by *claimed) bool {
	return h.jobs.habit(c).once() && slices.ContainsFunc(by.request.claims, func(o *call) bool {
		return o != c && o.endpoint(false) == c.endpoint(false) && slices.ContainsFunc(o.claims, func(its claimed) bool {
			return its.request == by.request && !its.nearer(by) && !by.nearer(&its)
		})
	})
}

// best returns the claim of the request that the result of a call came to the nearest way, of
// those alike the first, and the next of them.
func (h *handoff) best(c *call) (best, rival *claimed) {
	once := h.jobs.habit(c).once()
	var nearest *claimed
	for i := range c.claims {
		o := &c.claims[i]
		if nearest == nil || o.nearer(nearest) {
			nearest = o
		}
		switch {
		case once && (o.request.made(c) || o.request.prefers(c, o)), best != nil && o.request == best.request:
		case best == nil || o.nearer(best):
			best, rival = o, nil
		case rival == nil && !best.nearer(o):
			rival = o
		}
	}
	if once && nearest != nil {
		h.upheld.add(best == nearest)
	}
	return best, rival
}

// refuses reports whether a weaker rung's guess is against what hand-offs tell: the order
// has told, the request is known to have made its one call of this kind, or no request waits for such calls.
func (h *handoff) refuses(c *call, r *request) bool {
	return c.queued != nil || h.jobs.habit(c).once() && r.made(c) || h.most(c) <= handoffDoubt
}

// limit is the most that a weaker rung is believed: where hand-offs tell of most calls, those
// of which they do not are not like the others. Of goroutines they tell as soon as they are seen.
func (h *handoff) limit(c *call, confidence float64) float64 {
	if h.taken < enoughRequests && (c.origin.Task.Goroutine == 0 || h.deaf(c.endedAt)) {
		return confidence
	}
	return min(confidence, unconfirmed)
}

// jobs tells how workers and requests make calls, by the kind of call.
type jobs map[endpoint]*jobHabit

// jobHabit is what is known of a kind of call.
type jobHabit struct {
	// alone is how often who had read the result passed it on alone, older how often together
	// with a later one.
	alone, older int
	// first is how often it was a request's first call of the kind, more how often another one.
	first, more int
	ways        ways
	chances     chances
	// lost is how often nobody claimed it.
	lost agreement
}

func (j *jobs) habit(c *call) *jobHabit {
	e := c.endpoint(false)
	if k := (*j)[e]; k != nil {
		return k
	}
	if *j == nil || len(*j) >= maxClasses {
		*j = make(jobs)
	}
	k := &jobHabit{}
	(*j)[e] = k
	return k
}

// serial reports whether a job goes on after such a call: its result is hardly ever the only one. Where
// it is at times, an older result is one that nobody waited for.
func (k *jobHabit) serial() bool { return k.alone*10 <= k.alone+k.older }

// once reports whether a request makes such a call once.
func (k *jobHabit) once() bool { return k.first >= enoughRequests && k.more*20 < k.first }
