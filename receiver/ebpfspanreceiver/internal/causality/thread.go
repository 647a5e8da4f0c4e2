package causality

import (
	"slices"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
)

// threadConfidence is that of the thread rung: a timer of the thread's own may
// still act while one request is open.
const threadConfidence = 0.99

// thread is the rung of the thread that reads a request and works on it. As soon
// as a thread has more than one open request it is an event loop.
type thread struct {
	// requests are the open ones that this thread read.
	requests []*request
	order    order
	loop     loop
	// step counts what happened on the thread; it starts at 1.
	step uint64
	// calls is true once it has called anybody, or read an answer: the order and the loop
	// know nothing before.
	calls bool
	// active is when it read a request last.
	active int64
	// last is the request that it read and answered last, earlier the one before, nil where
	// that was long ago; several says that it had several open at a time.
	last, earlier *request
	several       bool
	spell         spell
	batch         batch
	reacts        reacts
	process       *process
}

func (t *thread) opened(r *request, m *aftermath) {
	t.step++
	t.active = r.read.Time
	r.thread, r.opened = t, t.step
	t.requests = append(t.requests, r)
	t.several = t.several || len(t.requests) > 1
	t.batch.reads(nil, false, r.read.Task.Waits)
	t.reacts.reads(r, nil, r.read.Task.Waits, r.read.Time)
	t.spell.turns(due, r.read.Time, m)
	t.loop.turns(r.read.Task.Waits, true)
	if r.turn = t.loop.turn; t.calls {
		t.ready(r, len(t.requests)-1)
	}
}

// ready has the order and the loop know of a request's head, with so many others open.
func (t *thread) ready(r *request, others int) {
	if r.read.Task.Thinned {
		return // tokens with gaps mean nothing
	}
	t.order.push(&ready{request: r})
	t.loop.readRequest(r, others)
}

// whole takes the end of a request that lies between others: what is to be done for it is known by now, and
// that of the others before it that are not whole is not.
func (t *thread) whole(r *request, by conn.Origin) {
	if !t.calls || by.Task.TID != r.read.Task.TID || by.Task.Thinned || r.read.Task.Thinned {
		return
	}
	t.loop.turns(by.Task.Waits, true)
	idle := t.loop.line.waitsLast(r, t.requests)
	if t.loop.readWhole(r, by.Time, idle) {
		t.order.waitsLast(r)
	}
}

// calling tells the order and the loop, before its first call, of the requests that may
// cause it. A server that calls nobody is spared them.
func (t *thread) calling() {
	if t.calls {
		return
	}
	t.calls = true
	turn := t.loop.turn
	for i, r := range t.requests {
		if r.responded == 0 {
			t.loop.turn = r.turn
			t.ready(r, i)
		}
	}
	t.loop.turn = turn
}

// closed takes a request that has ended, and returns the one that is not remembered any more, nil where there is none.
func (t *thread) closed(r *request, m *aftermath) (gone *request) {
	t.ends(r)
	t.step++
	r.ended = t.step
	if r.done == 0 {
		r.done = t.step
	}
	t.order.forget(r)
	t.requests = slices.DeleteFunc(t.requests, func(o *request) bool { return o == r })
	t.loop.unseen.closes(t.requests)
	end := r.exchange.End
	t.spell.closes(t.awake(end.Time), end.Time, m)
	if end.Task.TID != r.read.Task.TID {
		return r
	}
	gone, t.earlier, t.last = t.earlier, t.last, r
	return gone
}

// decide settles the act where only one request can have caused it, and asks the
// loop otherwise.
func (t *thread) decide(a *act, m *aftermath) {
	t.batch.acts()
	t.calling()
	open, streaming := t.working()
	t.loop.turns(a.origin.Task.Waits, false)
	if by := a.origin.Task; by.Hidden > 0 || by.Thinned && (streaming || len(open) > 1) {
		// A request that is left out may have caused it, or the tokens have gaps.
		a.settle(nil, "", 0)
		return
	}
	if t.evented(a) {
		open = t.withoutDormant(a, open)
	}
	only := len(open) == 1 && a.origin.Task.Coroutine == 0
	if only && t.evented(a) && open[0].dormant(a.origin.Time) {
		t.acts(a, open[0])
		a.settle(open[0], MethodThread, dormantConfidence)
		if t.spell.duty == idle {
			m.began(a, &t.spell)
		}
		return
	}
	a.doubt = t.doubt(a, m)
	switch {
	case len(open) == 0:
		a.settle(nil, "", 0)
	case only && t.turnsTell(a):
		t.decideByTurn(a, open[0], streaming)
	case only && a.doubt > doubtful:
		a.alone()
	case only:
		t.acts(a, open[0])
		a.settle(open[0], MethodThread, (1-a.doubt)*threadConfidence)
	default:
		a.putOff(t, streaming)
		if len(open) == 1 {
			a.sole = open[0]
		}
		t.order.acts(a)
		t.loop.acts(a, len(t.requests), t.step)
	}
}

// acts has the loop know of an act that is r's.
func (t *thread) acts(a *act, r *request) {
	a.prompt = a.promptly(r)
	t.order.take(r)
	t.loop.acts(a, 1, t.step)
}

// working returns at most two of the requests that may call; where
// there are none, of those that are streaming it.
func (t *thread) working() (open []*request, streaming bool) {
	for _, r := range t.requests {
		if r.done == 0 {
			open = append(open, r)
		}
		if len(open) == 2 {
			break
		}
	}
	if len(open) == 0 {
		return t.requests, true
	}
	return open, false
}

// responds takes the first byte of a response to a request that this thread read.
// Only where it writes it itself does the order of its tokens mean anything.
func (t *thread) responds(r *request, by capture.Task) {
	t.step++
	r.responded = t.step
	between := t.loop.parts.call()
	if !between {
		r.done = t.step
	}
	if by.TID == r.read.Task.TID && !by.Thinned {
		t.loop.turns(by.Waits, false)
		t.batch.responds(r, by.Waits)
		t.reacts.responds(r, by)
		r.begun = t.loop.turn
		if !t.calls {
			return
		}
		if !between {
			t.order.responds(r)
		}
		t.loop.leadsTo(r, t.reacts.in(by.Waits))
		t.loop.responded(r, len(t.requests), t.step)
	}
}

// read takes a call's response, its first byte or the last.
func (t *thread) read(c *call, complete bool, by capture.Task) {
	t.calling()
	t.loop.turns(by.Waits, true)
	t.step++
	if by.Thinned {
		return
	}
	if complete {
		t.order.push(&ready{call: c})
	}
	c.response = t.loop.readResponse(c, complete, t.step)
}
