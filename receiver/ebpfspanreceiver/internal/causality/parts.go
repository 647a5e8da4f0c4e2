package causality

// A loop may write a response in parts, and call between them: it writes the head, calls, and ends the response when
// the answer to the call comes. So the last part of a response is an act of its request as well as the first one, and
// the request may call until then. That a loop does so is learned: mostly
// a request may not call any more once its response is begun, which leaves fewer to choose from.

const (
	// partsEnough is how many responses must have been ended in a later turn than begun to tell whether
	// requests call meanwhile, partsLeast the share of those that were ended in the turn in which the answer to a call
	// was read that began after their response, with nothing else read since.
	partsEnough, partsLeast = 16, 0.5
)

// parts tells whether requests call while their response is being written.
type parts struct {
	between agreement
}

// call reports whether they do.
func (p *parts) call() bool {
	return p.between.total >= partsEnough && p.between.right >= partsLeast*p.between.total
}

// ended takes the last part of the response to r, which was begun in an earlier turn.
func (p *parts) ended(r *request, read *token, turn int) {
	p.between.add(read != nil && read.turn == turn && read.call != nil && read.complete &&
		read.call.exchange.Request.First.Time > r.exchange.Response.First.Time)
}

// ends takes the last byte of a response to a request that this thread read.
func (t *thread) ends(r *request) {
	by := r.exchange.Response.Last.Task
	if r.responded == 0 || by.TID != r.read.Task.TID || by.Thinned || !r.exchange.Response.Complete {
		return
	}
	t.loop.turns(by.Waits, false)
	later := r.begun != t.loop.turn
	if later {
		t.loop.parts.ended(r, t.loop.lastRead(), t.loop.turn)
	}
	if r.done != 0 {
		return
	}
	t.order.responds(r)
	if later {
		t.loop.ended(r, len(t.requests), t.step)
	}
}

// lastRead is the token that was read last, nil where there is none.
func (l *loop) lastRead() *token {
	if n := len(l.tokens); n > 0 {
		return l.tokens[n-1]
	}
	return nil
}
