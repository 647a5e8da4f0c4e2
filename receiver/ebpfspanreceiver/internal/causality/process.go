package causality

import (
	"time"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
)

// process is what is known of one process.
type process struct {
	// goRuntime says that goroutines, not threads, do the work.
	goRuntime bool
	// calls says that it has called somebody, or connected.
	calls      bool
	goroutines goroutines
	aftermath  aftermath
	reactions  reactions
	payload    payload
	sharing    sharing
	threads    map[uint32]*thread
	coroutines coroutines
	// python says that it runs Python, loops that one of its threads had several requests, or that
	// it calls and waits for several descriptors at once.
	python, loops bool
	handoff       handoff
	writers       writers
	// withoutGoroutines says that it is a Go program whose goroutines cannot be told.
	withoutGoroutines bool
	// statistics is the last rung, nil where it is switched off.
	statistics *statistics
}

func newProcess() *process {
	p := &process{goroutines: newGoroutines(), coroutines: newCoroutines(), threads: make(map[uint32]*thread)}
	p.writers.handoff = &p.handoff
	return p
}

func (p *process) thread(tid uint32) *thread {
	t := p.threads[tid]
	if t == nil {
		t = &thread{process: p, reacts: reacts{reactions: &p.reactions}}
		p.threads[tid] = t
	}
	return t
}

// byGoroutine reports whether the evidence of threads means nothing for task.
func (p *process) byGoroutine(task capture.Task) bool {
	return p.goRuntime || task.Goroutine != 0
}

// learn remembers what a task tells of its goroutine's origin.
func (p *process) learn(by conn.Origin) { p.goroutines.learn(by) }

// opened takes a request whose head was read.
func (p *process) opened(r *request) {
	p.payload.opened(r)
	if p.writers.reads(r) {
		p.handoff.waits(r)
		p.writers.order.reads(r)
		p.writers.polled(r.read)
		return
	}
	p.handoff.opened(r)
	p.withoutGoroutines = p.goRuntime && r.read.Task.Goroutine == 0
	if p.byGoroutine(r.read.Task) {
		p.sharing.opened(r)
		if !r.exchange.Multiplexed {
			p.goroutines.opened(r, &p.aftermath)
		}
		return
	}
	t := p.thread(r.read.Task.TID)
	t.opened(r, &p.aftermath)
	p.loops = p.loops || len(t.requests) > 1
}

// whole takes a request whose last byte was read after its head.
func (p *process) whole(r *request) {
	if r.thread != nil {
		r.thread.whole(r, r.exchange.Request.Last)
	}
}

// taken takes a request that another goroutine works on than the one that read it.
func (p *process) taken(r *request, by conn.Origin) {
	p.handoff.takes(r, by.Task)
	r.read.Task = by.Task
	p.goroutines.opened(r, &p.aftermath)
}

// decide climbs the ladder for an act.
func (p *process) decide(a *act) {
	if p.byGoroutine(a.origin.Task) {
		if a.origin.Task.Goroutine == 0 {
			a.settle(nil, "", 0)
		} else if !p.goroutines.decide(a, &p.aftermath) {
			p.putOff(a)
		}
		return
	}
	t := p.threads[a.origin.Task.TID]
	if p.writers.shared() {
		p.decideByWriter(a)
		return
	}
	if t != nil {
		t.reacts.acts(a)
	}
	p.loops = p.loops || a.origin.Task.Waits > 0
	if t == nil || len(t.requests) == 0 {
		p.coroutines.actsAlone(a)
		if t != nil && !p.handoff.mayServe() {
			t.idle(a, &p.aftermath, len(p.handoff.requests) > 0)
		}
		p.putOff(a)
		return
	}
	t.decide(a, &p.aftermath)
	p.coroutines.decide(a)
}

// decideByWriter leaves an act to what its thread or its task answers next.
func (p *process) decideByWriter(a *act) {
	if a.nobodys = len(p.handoff.requests) == 0; a.nobodys || a.to.connects {
		a.settle(nil, "", 0) // a connection is for all, whoever opens it
		return
	}
	p.writers.putOff(a)
}

// putOff leaves an act of a task without a request to the rung of hand-offs.
func (p *process) putOff(a *act) {
	p.handoff.putOff(a)
	a.nobodys = len(p.handoff.requests) == 0
}

// responds takes the first byte of a request's response.
func (p *process) responds(r *request, by capture.Task) {
	p.sharing.responds(r, by)
	if !p.byGoroutine(by) {
		p.writers.responds(r, by)
	}
	if p.writers.reads(r) {
		return
	}
	before := p.handoff.takenOver
	p.handoff.answers(r, by)
	if p.handoff.takenOver && !before {
		p.aftermath = aftermath{operations: p.aftermath.operations} // calls for others were counted as nobody's
	}
	p.coroutines.responds(r, by)
	if r.thread != nil {
		r.thread.responds(r, by)
	}
}

// reading takes the first byte of a call's response.
func (p *process) reading(c *call, by capture.Task) {
	if c.writers != nil {
		p.writers.polled(c.exchange.Response.First)
		return
	}
	p.handoff.heard(c, by)
	if t := p.threads[by.TID]; t != nil && !p.byGoroutine(by) {
		t.batch.reads(c, false, by.Waits)
		t.reacts.hears(c, c.exchange.Response.First)
		t.read(c, false, by)
	}
}

// completed takes the last byte of a call's response.
func (p *process) completed(c *call, by capture.Task) {
	p.sharing.completed(c)
	if c.writers != nil {
		p.writers.polled(c.exchange.Response.Last)
		p.writers.order.ended(c)
		return
	}
	if t := p.threads[by.TID]; t != nil && !p.byGoroutine(by) {
		t.batch.reads(c, true, by.Waits)
		t.reacts.hears(c, c.exchange.Response.Last)
	}
	if c.decided && c.parent == nil {
		return
	}
	if c.parent != nil && c.prompt {
		c.parent.stirred = c.exchange.Response.Last
	}
	p.handoff.heard(c, by)
	if t := p.threads[by.TID]; t != nil && !p.byGoroutine(by) {
		t.read(c, true, by)
		if len(t.requests) > 0 {
			t.spell.turns(due, c.exchange.Response.Last.Time, &p.aftermath)
		}
	}
}

// closed takes a request that has ended, and returns one to which threads do not refer any more, nil where there is none.
func (p *process) closed(r *request) (gone *request) {
	p.payload.closed(r)
	p.handoff.closed(r)
	p.coroutines.closed(r)
	if p.byGoroutine(r.read.Task) {
		p.goroutines.closed(r, &p.aftermath)
		return nil
	}
	if r.thread != nil {
		gone = r.thread.closed(r, &p.aftermath)
	}
	return gone
}

// idleThread is how long, in nanoseconds, a thread's habits are remembered.
const idleThread = int64(time.Minute)

// tidy forgets threads that have done nothing for long.
func (p *process) tidy(now int64) {
	p.goroutines.tidy(now)
	p.payload.tidy(now)
	p.coroutines.tidy(now)
	p.handoff.tidy()
	p.writers.tidy(now)
	for tid, t := range p.threads {
		if t.last != nil && now-t.last.exchange.End.Time > afterFor {
			t.last, t.earlier = nil, nil
		}
		if len(t.requests) == 0 && now-t.active > idleThread {
			delete(p.threads, tid)
		}
	}
}
