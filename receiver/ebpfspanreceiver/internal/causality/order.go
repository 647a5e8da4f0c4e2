package causality

import "slices"

const (
	// freshTurns is how many turns beyond the loop's usual lag a turn may wait for
	// its act. One that waited longer waits for something else, a timer for example.
	freshTurns = 2
	// staleTurns is when a completed call's turn is given up.
	staleTurns = 64
	// maxQueue bounds the tokens that wait for their act.
	maxQueue = 4096
)

// order is the simplest view of an event loop: one act for each token, first in
// first out. Forward, an act is given to the first token that waits. Backward, when
// the response of a request is written, the token that acted is that request's: so
// the call whose completion made the token was, and so was the token that led to that
// call, down the chain. It needs no learning, and errs where a token leads to
// several acts or to none; how often it does is measured against the decoder.
type order struct {
	queue []*ready
	turn  int
	// acted is true while the last thing that happened was an act.
	acted bool
	// lag is how many turns tokens of this loop usually wait for their act.
	lag lag
	// right measures the order's guesses against what the decoder is sure of.
	right agreement
}

// benefit is how many right guesses the order has to its credit before it is measured.
const benefit = 20

// earned is the confidence in the order: the share of guesses that were right.
func (o *order) earned() float64 { return (o.right.right + benefit) / (o.right.total + benefit + 0.2) }

// ready is a token that waits for its act.
type ready struct {
	request *request
	call    *call
	turn    int
}

// push appends a token. Reading after acting begins a new turn.
func (o *order) push(r *ready) {
	if o.acted {
		o.turn++
		o.acted = false
	}
	r.turn = o.turn
	if len(o.queue) >= maxQueue {
		o.queue = slices.Delete(o.queue, 0, maxQueue/4) // not one by one: that would move all each time
	}
	o.queue = append(o.queue, r)
}

// waitsLast puts the token of a request behind all others.
func (o *order) waitsLast(r *request) {
	if i := slices.IndexFunc(o.queue, func(t *ready) bool { return t.request == r }); i >= 0 {
		t := o.queue[i]
		o.queue = slices.Delete(o.queue, i, i+1)
		o.push(t)
	}
}

// acts gives the act to the first fresh token.
func (o *order) acts(a *act) {
	o.acted = true
	i := slices.IndexFunc(o.queue, func(r *ready) bool {
		return o.turn-r.turn <= o.lag.usual()+freshTurns && r.mayCause(a)
	})
	if i < 0 {
		return
	}
	r := o.queue[i]
	o.queue = slices.Delete(o.queue, i, i+1)
	a.cause, a.ordered = r, r.owner()
}

// take removes the token of a request that acted beyond doubt.
func (o *order) take(r *request) {
	o.acted = true
	if i := slices.IndexFunc(o.queue, func(t *ready) bool { return t.owner() == r }); i >= 0 {
		o.queue = slices.Delete(o.queue, i, i+1)
	}
}

// giveBack returns a token that was taken for an act which, as is known now, is another's.
func (o *order) giveBack(r *ready) {
	i := slices.IndexFunc(o.queue, func(t *ready) bool { return t.turn >= r.turn })
	if i < 0 {
		i = len(o.queue)
	}
	o.queue = slices.Insert(o.queue, i, r)
}

// mayCause reports whether the act may be this token's: a token whose request is
// known must be one of the open ones.
func (r *ready) mayCause(a *act) bool {
	owner := r.owner()
	return owner == nil || a.candidate(owner)
}

// owner is the request that a token makes runnable, as far as is known.
func (r *ready) owner() *request {
	switch {
	case r.request != nil:
		return r.request
	case r.call.settled():
		return r.call.parent
	}
	return r.call.ordered
}

// responds takes a response's first byte: the token that acted is r's. Of several
// it is the one that waited as long as is usual here, and of those the first.
func (o *order) responds(r *request) {
	o.acted = true
	best, fitting := -1, 0
	for i, t := range o.queue {
		if !t.leadsTo(r) {
			continue
		}
		fitting++
		if best < 0 || o.oddity(t) < o.oddity(o.queue[best]) {
			best = i
		}
	}
	if best < 0 {
		return
	}
	t := o.queue[best]
	if fitting == 1 && t.call != nil {
		o.lag.learn(o.turn - t.turn)
	}
	o.queue = slices.Delete(o.queue, best, best+1)
	if t.call != nil {
		t.call.claim(r)
	}
}

// leadsTo reports whether the response to r may be this token's act.
func (r *ready) leadsTo(to *request) bool {
	switch {
	case r.request != nil:
		return r.request == to
	case r.call.settled():
		return r.call.parent == to
	case r.call.claimed:
		return r.call.ordered == to
	}
	return r.call.candidate(to)
}

// claim gives the call and the calls before it in the chain to r.
func (c *call) claim(r *request) {
	for c != nil && !c.claimed && !c.settled() && c.candidate(r) {
		cause := c.cause
		c.ordered, c.claimed, c.cause = r, true, nil
		if cause == nil {
			return
		}
		c = cause.call
	}
}

// oddity is how far the time that a token has waited is from the usual.
func (o *order) oddity(r *ready) int {
	d := o.turn - r.turn - o.lag.usual()
	return max(d, -d)
}

// forget removes what belongs to a request that has ended, and what is stale.
func (o *order) forget(r *request) {
	o.queue = slices.DeleteFunc(o.queue, func(t *ready) bool {
		if t.request != nil {
			return t.request == r
		}
		return t.call.settled() && t.call.parent == r || o.turn-t.turn > staleTurns
	})
}
