package causality

import "slices"

const (
	// maxMarks bounds the marks of open requests, maxSpent one generation of those of
	// answered ones.
	maxMarks, maxSpent = 65_536, 4096
	// againConfidence is that in a request whose id an answered one had, too.
	againConfidence = 0.98
)

// payload is the rung of ids in the payload: a trace context or the id of a request that a
// call carries, and that exactly one open request of the process carried, is that request's.
// Who makes spans passes on the trace's id with an id of its own; and a trace may have several
// requests open in a process: then the parent is one of them, and weaker evidence says which.
// An id of answered requests alone says that the call began after the response.
type payload struct {
	open map[uint64][]*request
	// spent holds the marks of answered requests, in two generations: the older one is
	// dropped when the younger is full or old. A mark of several has nil.
	spent, older map[uint64]*request
	// turned is when that happened last.
	turned int64
}

func (p *payload) opened(r *request) {
	for _, mark := range r.exchange.Marks {
		if p.open == nil {
			p.open = make(map[uint64][]*request)
		}
		if len(p.open) < maxMarks {
			p.open[mark] = append(p.open[mark], r)
		}
	}
}

func (p *payload) closed(r *request) {
	for _, mark := range r.exchange.Marks {
		left := slices.DeleteFunc(p.open[mark], func(o *request) bool { return o == r })
		if p.open[mark] = left; len(left) == 0 {
			delete(p.open, mark)
		}
		p.spend(mark, r)
	}
}

func (p *payload) spend(mark uint64, r *request) {
	if other, again := p.answered(mark); again && other != r {
		r = nil
	}
	if p.spent == nil || len(p.spent) >= maxSpent {
		p.turn()
	}
	p.spent[mark] = r
}

func (p *payload) turn() { p.older, p.spent = p.spent, make(map[uint64]*request) }

// answered returns the answered request that had a mark, nil for several, and whether there is one.
func (p *payload) answered(mark uint64) (*request, bool) {
	r, ok := p.spent[mark]
	if !ok {
		r, ok = p.older[mark]
	}
	return r, ok
}

// tidy forgets what was answered long ago.
func (p *payload) tidy(now int64) {
	if now-p.turned > afterFor {
		p.turned = now
		p.turn()
	}
}

// decide settles a call whose head was written. Where requests are left out, the one with the
// id may be among them.
func (p *payload) decide(c *call) {
	if by := c.origin.Task; by.Thinned || by.Hidden > 0 {
		return
	}
	for _, mark := range c.exchange.Marks {
		_, again := p.answered(mark)
		switch bearers := p.open[mark]; {
		case len(bearers) > 1:
			if c.among == nil {
				c.among = slices.Clone(bearers)
			}
		case len(bearers) == 1 && !again:
			c.carries(bearers[0], 1)
			return
		case len(bearers) == 1 && !c.nobodys:
			c.carries(bearers[0], againConfidence)
			return
		}
	}
	if len(c.among) == 0 {
		p.after(c)
	}
}

// after settles a call that carries the id of answered requests alone, unless its goroutine
// works for another one.
func (p *payload) after(c *call) {
	if c.parent != nil && c.method == MethodGoroutine {
		return
	}
	for _, mark := range c.exchange.Marks {
		r, ok := p.answered(mark)
		if !ok {
			continue
		}
		if r != nil {
			c.follows(r, 1)
		}
		c.alone()
		c.thread, c.handoff = nil, nil
		return
	}
}

// carries settles the call as that of the request whose id it carries, and lets weaker
// evidence know.
func (c *call) carries(r *request, confidence float64) {
	if c.decided && c.parent == r && c.confidence >= confidence {
		return
	}
	if t := c.thread; t != nil && c.cause != nil && c.ordered != r {
		t.order.giveBack(c.cause)
		t.order.take(r)
	}
	c.settle(r, MethodPayload, confidence)
	c.thread, c.handoff, c.nobodys, c.suspect = nil, nil, false, false
}

// strays reports whether the parent is none of the requests that carried the call's id. What
// goroutines do is surer than that.
func (c *call) strays() bool {
	return len(c.among) > 0 && c.parent != nil && c.method != MethodGoroutine && !slices.Contains(c.among, c.parent)
}
