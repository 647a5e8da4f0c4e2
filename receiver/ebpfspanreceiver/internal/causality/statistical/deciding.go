package statistical

import (
	"math"
	"slices"
	"sort"
)

const (
	// stepCost is about what one step of a window's solution takes, in nanoseconds.
	stepCost = 40
	// maxWithin is how many undecided calls may lie within one request. Decided calls
	// of open ones are remembered for worn times MaxWait, and up to worn times MaxHeld.
	maxWithin = 1024
	worn      = 4
)

// Decide returns the decisions that are due at a time.
func (p *Process) Decide(now int64) []Decision {
	p.pass(now)
	if len(p.calls) == 0 {
		p.idle()
		return nil
	}
	ripe := p.ripe(now)
	if !p.due(ripe, now) {
		return nil
	}
	if p.credit < 0 {
		return p.giveUp(now)
	}
	return p.decide(ripe)
}

// Flush decides everything that has ended, as far as there is time of processors left.
func (p *Process) Flush() []Decision {
	if p.credit < 0 {
		return p.giveUp(math.MaxInt64)
	}
	return p.decide(len(p.calls))
}

// decide decides the first calls of the row.
func (p *Process) decide(ripe int) []Decision {
	p.gather()
	w := &p.window
	w.steps = 0
	if p.model.requests < float64(p.options.Warmup) {
		p.model.explore(w)
	}
	w.solve(toDecide)
	if p.options.MaxCPU > 0 {
		p.credit -= float64(w.steps) * stepCost
	}
	decisions := p.settle(w, p.calls[:ripe])
	p.model.forget()
	p.retire()
	return decisions
}

// settle decides those of the calls that are not yet, and takes the audits' results.
func (p *Process) settle(w *window, calls []*Call) []Decision {
	var decisions []Decision
	for _, c := range calls {
		if c.settled {
			continue
		}
		p.waiting--
		if c.settled = true; c.crowded {
			c.parent = c.truth
			if !c.audit {
				decisions = append(decisions, Decision{Call: c, GivenUp: Crowded})
			}
			continue
		}
		d := w.decide(c)
		c.parent = d.Parent
		if c.audit {
			if d.RunnerUp != nil {
				p.model.audit(d.Confidence, d.Parent == c.truth)
			}
			c.parent = c.truth
			continue
		}
		d.Confidence = p.model.calibrated(d.Confidence)
		decisions = append(decisions, d)
	}
	return decisions
}

// giveUp decides that nothing is known of the calls that have waited for long.
func (p *Process) giveUp(now int64) []Decision {
	var decisions []Decision
	p.calls = slices.DeleteFunc(p.calls, func(c *Call) bool {
		if c.settled || c.end >= now-p.options.MaxWait.Nanoseconds() && len(p.calls) < p.options.MaxHeld {
			return false
		}
		p.waiting--
		c.settled = true
		if !c.audit {
			decisions = append(decisions, Decision{Call: c, GivenUp: Overloaded})
		}
		return true
	})
	return decisions
}

// ripe is the number of calls, from the first, all of whose candidates have
// ended. Requests that are open for longer than MaxWait are not waited for, and
// none is when too many calls wait.
func (p *Process) ripe(now int64) int {
	if p.waiting >= p.options.MaxHeld {
		return len(p.calls)
	}
	for _, r := range p.requests {
		if r.open() && now-r.start <= p.options.MaxWait.Nanoseconds() {
			return sort.Search(len(p.calls), func(i int) bool { return p.calls[i].start >= r.start })
		}
	}
	return len(p.calls)
}

// due reports whether it is time to decide the first calls.
func (p *Process) due(ripe int, now int64) bool {
	undecided, oldest := 0, now
	for _, c := range p.calls[:ripe] {
		if !c.settled {
			undecided++
			oldest = min(oldest, c.end)
		}
	}
	wait, age := p.options.MaxWait.Nanoseconds(), now-oldest
	if age > wait || p.waiting >= p.options.MaxHeld {
		return true
	}
	if undecided == 0 {
		return ripe > 0 && (ripe == len(p.calls) || ripe >= p.options.Batch)
	}
	if p.model.requests+float64(len(p.requests)) < float64(p.options.Warmup) {
		return false
	}
	return ripe == len(p.calls) || undecided >= p.options.Batch || age > wait/5
}

// idle forgets the requests that ended without a call.
func (p *Process) idle() {
	p.requests = slices.DeleteFunc(p.requests, func(r *Request) bool {
		if r.open() {
			return false
		}
		if r.chain = -1; !p.asleep() {
			p.model.childless(r)
		}
		return true
	})
}

// gather makes the window of all requests and calls.
func (p *Process) gather() {
	w := &p.window
	w.reset(len(p.requests), p.calls)
	longest, around := make([]int64, len(p.requests)), []int(nil)
	for i, r := range p.requests {
		end := r.end
		if r.open() {
			end = 1<<63 - 1
		}
		longest[i] = end
		if i > 0 {
			longest[i] = max(end, longest[i-1])
		}
		r.waits, r.chain = 0, int32(i)
		w.chains[i].request = r
	}
	for _, c := range p.calls {
		if c.parent != nil && c.parent.chain < 0 {
			continue
		}
		if c.parent != nil {
			ch := &w.chains[c.parent.chain]
			ch.calls = append(ch.calls, c)
			continue
		}
		last := sort.Search(len(p.requests), func(i int) bool { return p.requests[i].start > c.start })
		around = around[:0]
		for i := last - 1; i >= 0 && longest[i] >= c.end; i-- {
			full := len(w.chains[i].calls) >= maxWithin
			if r := p.requests[i]; !full && (r.open() || r.end >= c.end) {
				around = append(around, i)
			}
		}
		if c.crowded = len(around) > p.options.MaxOpen; c.crowded {
			continue
		}
		for _, i := range around {
			w.chains[i].calls = append(w.chains[i].calls, c)
		}
	}
	w.number()
}

// retire forgets the requests that caused no undecided call, after the model has
// learned from them, and the calls that are decided and no open request's.
func (p *Process) retire() {
	for _, c := range p.calls {
		if c.settled {
			continue
		}
		for _, pair := range p.window.pairs[c.index] {
			p.window.chains[p.window.owner[pair]].request.waits++
		}
	}
	kept := p.requests[:0]
	for i, r := range p.requests {
		if r.open() || r.waits > 0 {
			kept = append(kept, r)
			continue
		}
		r.chain = -1
		if !r.worn {
			p.model.take(&p.window.chains[i])
		}
	}
	clear(p.requests[len(kept):])
	p.requests = kept
	left := p.calls[:0]
	for _, c := range p.calls {
		old := c.parent != nil && p.clock-c.parent.start > worn*p.options.MaxWait.Nanoseconds()
		if c.settled && c.parent != nil && (old || len(left) >= worn*p.options.MaxHeld) {
			c.parent.worn = true
			continue
		}
		if !c.settled || c.parent != nil && c.parent.chain >= 0 {
			left = append(left, c)
		}
	}
	clear(p.calls[len(left):])
	p.calls = left
	p.window.release()
}
