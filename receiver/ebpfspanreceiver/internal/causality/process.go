package causality

import (
	"time"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
)

// process is what is known of one process.
type process struct {
	// goRuntime says that goroutines, not threads, do the work.
	goRuntime  bool
	goroutines goroutines
	threads    map[uint32]*thread
	coroutines coroutines
	// python says that it runs Python, loops that one of its threads had several requests.
	python, loops bool
	handoff       handoff
	// withoutGoroutines says that it is a Go program whose goroutines cannot be told.
	withoutGoroutines bool
	// statistics is the last rung, nil where it is switched off.
	statistics *statistics
}

func newProcess() *process {
	return &process{goroutines: newGoroutines(), coroutines: newCoroutines(), threads: make(map[uint32]*thread)}
}

func (p *process) thread(tid uint32) *thread {
	t := p.threads[tid]
	if t == nil {
		t = &thread{}
		p.threads[tid] = t
	}
	return t
}

// byGoroutine reports whether the evidence of threads means nothing for task.
func (p *process) byGoroutine(task capture.Task) bool {
	return p.goRuntime || task.Goroutine != 0
}

// learn remembers what a task tells of its goroutine's origin.
func (p *process) learn(task capture.Task) { p.goroutines.learn(task) }

// opened takes a request whose head was read.
func (p *process) opened(r *request) {
	p.handoff.opened(r)
	p.withoutGoroutines = p.goRuntime && r.read.Task.Goroutine == 0
	if p.byGoroutine(r.read.Task) {
		p.goroutines.opened(r)
		return
	}
	t := p.thread(r.read.Task.TID)
	t.opened(r)
	p.loops = p.loops || len(t.requests) > 1
}

// decide climbs the ladder for an act.
func (p *process) decide(a *act) {
	if p.byGoroutine(a.origin.Task) {
		if r := p.goroutines.cause(a.origin.Task); r != nil {
			a.settle(r, MethodGoroutine, 1)
		} else if a.origin.Task.Goroutine == 0 {
			a.settle(nil, "", 0)
		} else {
			p.handoff.putOff(a)
		}
		return
	}
	t := p.threads[a.origin.Task.TID]
	if t == nil || len(t.requests) == 0 {
		p.handoff.putOff(a)
		return
	}
	t.decide(a)
	p.coroutines.decide(a)
}

// responds takes the first byte of a request's response.
func (p *process) responds(r *request, by capture.Task) {
	p.handoff.answers(r, by)
	p.coroutines.responds(r, by)
	if r.thread != nil {
		r.thread.responds(r, by)
	}
}

// reading takes the first byte of a call's response.
func (p *process) reading(c *call, by capture.Task) {
	c.heard = true
	if t := p.threads[by.TID]; t != nil && !p.byGoroutine(by) {
		t.read(c, false, by)
	}
}

// completed takes the last byte of a call's response.
func (p *process) completed(c *call, by capture.Task) {
	if c.decided && c.parent == nil {
		return
	}
	if t := p.threads[by.TID]; t != nil && !p.byGoroutine(by) {
		t.read(c, true, by)
	}
}

// closed takes a request that has ended.
func (p *process) closed(r *request) {
	p.handoff.closed(r)
	p.coroutines.closed(r)
	if p.byGoroutine(r.read.Task) {
		p.goroutines.closed(r)
		return
	}
	if t := p.threads[r.read.Task.TID]; t != nil {
		t.closed(r)
	}
}

// idleThread is how long, in nanoseconds, a thread's habits are remembered.
const idleThread = int64(time.Minute)

// tidy forgets threads that have done nothing for long.
func (p *process) tidy(now int64) {
	p.coroutines.tidy(now)
	for tid, t := range p.threads {
		if len(t.requests) == 0 && now-t.active > idleThread {
			delete(p.threads, tid)
		}
	}
}
