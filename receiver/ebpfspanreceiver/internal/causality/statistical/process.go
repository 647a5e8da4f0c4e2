package statistical

import (
	"slices"
	"sort"
	"time"
)

const (
	// sleepAfter is how long, in nanoseconds, a process is followed after the last
	// call that stronger evidence did not decide.
	sleepAfter = int64(time.Minute)
	// stepCost is about what one step of a window's solution takes, in nanoseconds.
	stepCost = 12
	// maxWithin is how many undecided calls may lie within one request, and worn for
	// how many times MaxWait the calls of one are remembered.
	maxWithin = 1024
	worn      = 4
	// maxCredit is for how long, in nanoseconds, unused time of processors is kept.
	maxCredit = int64(10 * time.Second)
)

// Process is the state of one process. It is not safe for concurrent use, nor are
// two processes of one model.
type Process struct {
	model   *Model
	options Options

	// requests are those that are open or may have caused an undecided call, by their start.
	requests []*Request
	// calls are those that have ended and are undecided, or belong to one of the
	// requests, by their start; waiting is the number of undecided ones.
	calls   []*Call
	waiting int
	// clock is the latest time that was told, unknown that of the last call without exact parent.
	clock, unknown int64
	// audits counts exact relations up to the next audit.
	audits int
	// credit is the time of processors that may still be spent, in nanoseconds.
	credit float64

	window window
}

// NewProcess returns the state of a process that runs the model's program.
func NewProcess(m *Model, o Options) *Process {
	return &Process{model: m, options: o.withDefaults(), window: window{model: m}}
}

// Opened takes a request that was read at a time. The endpoint is a name of which
// there are few: a method and a route, not a path with ids.
func (p *Process) Opened(endpoint string, at int64) *Request {
	r := &Request{endpoint: p.model.kind(endpoint), start: at}
	p.requests = insert(p.requests, r, func(r *Request) int64 { return r.start })
	p.pass(at)
	return r
}

// Closed takes the end of a request: what begins or ends later is not its own.
func (p *Process) Closed(r *Request, at int64) {
	r.end = max(at, r.start+1)
	p.pass(at)
}

// Call takes the begin of a call. The callee is a name of which there are few: the
// peer, and what is asked of it.
func (p *Process) Call(callee string, at int64) *Call {
	p.pass(at)
	return &Call{callee: p.model.kind(callee), start: at}
}

// Exact takes the parent of a call from stronger evidence: nil where no request caused it.
func (p *Process) Exact(c *Call, parent *Request) {
	if c.settled {
		return
	}
	if c.end != 0 {
		c.settled, c.parent = true, parent
		p.waiting--
		return
	}
	if p.audits++; p.audits >= p.options.Audit && parent != nil {
		p.audits = 0
		c.audit, c.truth = true, parent
		return
	}
	c.settled, c.parent = true, parent
}

// Ended takes the end of a call, in the order of ends. Before that, Exact must have
// been told what is known by then.
func (p *Process) Ended(c *Call, at int64) {
	c.end = max(at, c.start)
	p.pass(at)
	if !c.settled && !c.audit {
		p.unknown = at
	}
	if c.settled && c.parent == nil || p.asleep() {
		return
	}
	if !c.settled {
		p.waiting++
	}
	p.calls = insert(p.calls, c, func(c *Call) int64 { return c.start })
}

// asleep reports whether stronger evidence decides everything, so that there is
// nothing to learn for.
func (p *Process) asleep() bool { return p.unknown == 0 || p.clock-p.unknown > sleepAfter }

// Waiting is the number of calls that have ended and are not decided.
func (p *Process) Waiting() int { return p.waiting }

func (p *Process) pass(at int64) {
	if p.clock != 0 && at > p.clock {
		p.model.pass(at - p.clock)
		limit := float64(maxCredit) * p.options.MaxCPU
		p.credit = min(p.credit+float64(at-p.clock)*p.options.MaxCPU, limit)
	}
	p.clock = max(p.clock, at)
}

// insert puts an item in its place by time, most often the last.
func insert[T any](items []T, item T, at func(T) int64) []T {
	i := sort.Search(len(items), func(i int) bool { return at(items[i]) > at(item) })
	return slices.Insert(items, i, item)
}

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

// Flush decides everything that has ended.
func (p *Process) Flush() []Decision { return p.decide(len(p.calls)) }

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
		d := w.decide(c)
		p.waiting--
		c.settled, c.parent = true, d.Parent
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
		if c.settled || now-c.end <= p.options.MaxWait.Nanoseconds() && len(p.calls) < p.options.MaxHeld {
			return false
		}
		p.waiting--
		c.settled = true
		if !c.audit {
			decisions = append(decisions, Decision{Call: c})
		}
		return true
	})
	return decisions
}

// ripe is the number of calls, from the first, all of whose candidates have
// ended. Requests that are open for longer than MaxWait are not waited for.
func (p *Process) ripe(now int64) int {
	for _, r := range p.requests {
		if r.open() && now-r.start <= p.options.MaxWait.Nanoseconds() {
			return sort.Search(len(p.calls), func(i int) bool { return p.calls[i].start >= r.start })
		}
	}
	return len(p.calls)
}

// due reports whether it is time to decide.
func (p *Process) due(ripe int, now int64) bool {
	if p.waiting == 0 {
		return len(p.calls) > 0 && ripe == len(p.calls)
	}
	wait, first := p.options.MaxWait.Nanoseconds(), 0
	for first < len(p.calls) && p.calls[first].settled {
		first++
	}
	age := now - p.calls[first].end
	if age > wait || len(p.calls) >= p.options.MaxHeld {
		return true
	}
	if p.model.requests+float64(len(p.requests)) < float64(p.options.Warmup) || first >= ripe {
		return false
	}
	return ripe == len(p.calls) || ripe-first >= p.options.Batch || age > wait/5
}

// idle forgets the requests that ended without a call.
func (p *Process) idle() {
	p.requests = slices.DeleteFunc(p.requests, func(r *Request) bool {
		if !r.open() && !p.asleep() {
			p.model.childless(r)
		}
		return !r.open()
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
		if len(around) > p.options.MaxOpen {
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
		if c.settled && c.parent != nil && p.clock-c.parent.start > worn*p.options.MaxWait.Nanoseconds() {
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
