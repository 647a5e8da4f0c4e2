package causality

import "slices"

const (
	// freshTurns is how many turns beyond the loop's usual lag a token may wait for
	// its act. One that waited longer waits for something else, a timer for example.
	freshTurns = 2
	// staleTurns is when a completed call's token is given up.
	staleTurns = 64
	// maxTokens bounds the tokens of one loop.
	maxTokens = 4096
)

// token makes a request runnable: its head was read, or a call's response was
// read completely.
type token struct {
	// request is set for a request's head, call for a call's response.
	request *request
	call    *call
	// turn is the loop's turn in which the token became ready.
	turn int
}

// loop is the rung of event loops. Tokens are ready in the order of reading and
// act in the same order. Forward, an act is given to the first ready token.
// Backward, when the response of a request is written, the token that acted is
// that request's: so the call whose completion made the token was, and so was
// the token that led to that call, down the chain. The backward view wins.
type loop struct {
	tokens []*token
	turn   int
	// acted is true while the last thing that happened was an act.
	acted bool
	// lag is how many turns tokens of this loop usually wait for their act.
	lag lag
	// reading is the call whose response was begun last.
	reading *call
}

// ready appends a token. Reading after acting begins a new turn.
func (l *loop) ready(t *token) {
	if l.acted {
		l.turn++
		l.acted = false
	}
	t.turn = l.turn
	if len(l.tokens) >= maxTokens {
		l.tokens = l.tokens[1:]
	}
	l.tokens = append(l.tokens, t)
}

// forward gives the act to the first fresh token.
func (l *loop) forward(a *act, confidence float64) {
	l.acted = true
	i := slices.IndexFunc(l.tokens, func(t *token) bool {
		return l.turn-t.turn <= l.lag.usual()+freshTurns && t.mayCause(a)
	})
	if i < 0 {
		return
	}
	t := l.tokens[i]
	l.remove(t)
	a.cause = t
	a.forward = t.owner()
	a.method, a.confidence = MethodLoop, confidence
}

// mayCause reports whether the act may be this token's: a token whose request is
// known must be one of the open ones.
func (t *token) mayCause(a *act) bool {
	if t.request == nil && !t.call.decided {
		return true
	}
	return a.candidate(t.owner())
}

// owner is the request that a token makes runnable, as far as is known.
func (t *token) owner() *request {
	if t.request != nil {
		return t.request
	}
	if t.call.decided {
		return t.call.parent
	}
	return t.call.forward
}

// responds takes a response's first byte: the token that acted is r's. Of several
// it is the one that waited as long as is usual here, and of those the first.
func (l *loop) responds(r *request, forward *agreement) {
	l.acted = true
	var t *token
	var fitting int
	for _, other := range l.tokens {
		if !other.leadsTo(r) {
			continue
		}
		fitting++
		if t == nil || l.oddity(other) < l.oddity(t) {
			t = other
		}
	}
	if fitting == 1 && t.call != nil {
		l.lag.learn(l.turn - t.turn)
	}
	if t == nil {
		l.confirmStreaming(r, forward)
		return
	}
	l.remove(t)
	if t.call != nil {
		t.call.claim(r, forward)
	}
}

// leadsTo reports whether the response to r may be this token's act.
func (t *token) leadsTo(r *request) bool {
	if t.request != nil {
		return t.request == r
	}
	if t.call.decided {
		return t.call.parent == r
	}
	return t.call.candidate(r)
}

// claim settles the call and the calls before it in the chain: all are r's.
func (c *call) claim(r *request, forward *agreement) {
	for c != nil && !c.decided && c.candidate(r) {
		guess, cause := c.forward, c.cause
		confidence := backwardConfidence
		if guess == r {
			confidence = 1
		}
		if guess != nil {
			forward.add(guess == r)
		}
		c.settle(r, MethodLoop, confidence)
		c.cause = nil
		if cause == nil {
			return
		}
		c = cause.call
	}
}

// confirmStreaming takes a response that began before the call behind it was
// complete, as proxies do: it may confirm the forward view, not overrule it.
func (l *loop) confirmStreaming(r *request, forward *agreement) {
	if c := l.reading; c != nil && !c.decided && c.forward == r {
		c.claim(r, forward)
	}
}

// giveUp decides by the forward view alone.
func (a *act) giveUp() {
	if a.forward == nil {
		a.settle(nil, "", 0)
		return
	}
	a.settle(a.forward, a.method, a.confidence)
}

// oddity is how far the time that a token has waited is from the usual.
func (l *loop) oddity(t *token) int {
	d := l.turn - t.turn - l.lag.usual()
	return max(d, -d)
}

func (l *loop) remove(t *token) {
	if i := slices.Index(l.tokens, t); i >= 0 {
		l.tokens = slices.Delete(l.tokens, i, i+1)
	}
}

// take removes the token of a request that acted beyond doubt.
func (l *loop) take(r *request) {
	l.acted = true
	i := slices.IndexFunc(l.tokens, func(t *token) bool { return t.owner() == r })
	if i < 0 {
		return
	}
	l.tokens = slices.Delete(l.tokens, i, i+1)
}

// forget removes what belongs to a request that has ended, and what is stale.
func (l *loop) forget(r *request) {
	l.tokens = slices.DeleteFunc(l.tokens, func(t *token) bool {
		if t.request != nil {
			return t.request == r
		}
		return t.call.decided && t.call.parent == r || l.turn-t.turn > staleTurns
	})
}
