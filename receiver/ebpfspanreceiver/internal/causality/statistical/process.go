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
	if c.settled || c.audit {
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

// Possible reports whether a request was open around a call that ends at a time.
func (p *Process) Possible(c *Call, at int64) bool {
	for _, r := range p.requests {
		if r.start > c.start {
			return false
		}
		if r.open() || r.end >= at {
			return true
		}
	}
	return false
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
