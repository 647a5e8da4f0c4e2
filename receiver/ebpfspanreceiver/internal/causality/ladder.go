package causality

import (
	"math"
	"time"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

const (
	// maxWaiting bounds the calls whose parent is not decided yet.
	maxWaiting = 100_000
	// maxConnects bounds the connects whose connection has not sent a request yet.
	maxConnects = 65_536
	// tidyInterval is how often idle state is dropped.
	tidyInterval = int64(time.Second)
	// connectFor is how long a connection that nobody's request opened may take to be
	// used by who opened it.
	connectFor = int64(time.Second)
	// connectTimeout is how long a connect may wait for its connection's first request.
	connectTimeout = int64(time.Minute)
)

// Ladder is the stage: it implements protocol.Sink. It is not safe for
// concurrent use.
type Ladder struct {
	sink    Sink
	losses  *loss.Counts
	maxWait int64

	processes map[uint32]*process
	// latest is that of latestPID, nil where none was asked for yet.
	latest    *process
	latestPID uint32
	// connects are the connects whose connection has not sent a request yet.
	connects map[*conn.Origin]*act
	// waiting are the ended calls that wait for a decision, in the order of their ends.
	waiting []*call
	decoder decoder
	spares  spares
	// now is the last tick's time, and wanted what WantsWakes returned last.
	now    int64
	wanted map[uint32]bool
	// tidied is when idle state was dropped last.
	tidied int64
	// useStatistics switches the statistical rung on, operations names what it knows.
	useStatistics bool
	operations    *operations
	// looping is what WantsCoroutines returned last.
	looping []uint32
}

// NewLadder returns the stage. An ended call waits at most maxWait for evidence
// that comes after it.
func NewLadder(sink Sink, maxWait time.Duration, losses *loss.Counts) *Ladder {
	return &Ladder{
		sink:      sink,
		losses:    losses,
		maxWait:   maxWait.Nanoseconds(),
		processes: make(map[uint32]*process),
		connects:  make(map[*conn.Origin]*act),
		wanted:    make(map[uint32]bool),

		operations: newOperations(),
	}
}

// Found tells the stage what kind of program a process runs.
func (l *Ladder) Found(p *capture.Process) {
	known := l.process(p.PID)
	known.goRuntime = p.Runtime == capture.RuntimeGo
	known.python = p.Runtime == capture.RuntimePython
}

// Exited forgets a process.
func (l *Ladder) Exited(pid uint32) {
	if p := l.processes[pid]; p != nil {
		p.statistics.flush()
		p.handoff.requests = nil
	}
	delete(l.processes, pid)
	l.latest = nil
}

func (l *Ladder) process(pid uint32) *process {
	if l.latest != nil && l.latestPID == pid {
		return l.latest
	}
	p := l.processes[pid]
	if p == nil {
		p = newProcess()
		p.handoff.queue.remembered = l.maxWait / 5
		p.writers.order.remembered = l.maxWait / 5
		p.aftermath.operations = l.operations
		p.statistics = l.newStatistics()
		l.processes[pid] = p
	}
	l.latest, l.latestPID = p, pid
	return p
}

// Exchange implements protocol.Sink.
func (l *Ladder) Exchange(e *protocol.Exchange, phase protocol.Phase) {
	if e.Side == protocol.Server {
		l.serve(e, phase)
		return
	}
	l.call(e, phase)
}

func (l *Ladder) serve(e *protocol.Exchange, phase protocol.Phase) {
	p := l.process(e.Request.First.Task.PID)
	r, _ := e.State.(*request)
	switch phase {
	case protocol.RequestRead:
		r = l.spares.request()
		r.exchange, r.read, r.stirred = e, e.Request.Last, e.Request.Last
		e.State = r
		p.learn(r.read)
		p.opened(r)
		p.statistics.opened(r)
	case protocol.RequestWhole:
		if r != nil {
			p.whole(r)
		}
	case protocol.RequestTaken:
		if r != nil {
			p.learn(*e.Taken)
			p.taken(r, *e.Taken)
		}
	case protocol.ResponseBegan:
		if r != nil {
			p.responds(r, answers(e))
		}
	case protocol.Ended:
		var gone *request
		if r != nil {
			r.answered = true
			gone = p.closed(r)
			p.statistics.closed(r, e.End.Time)
		}
		l.sink.Link(Link{Exchange: e})
		if gone != nil && p.forgets(gone) {
			l.spares.take(gone)
		}
	}
}

// answers returns who answers a request: who works on it, where another task writes.
func answers(e *protocol.Exchange) capture.Task {
	if e.Taken != nil {
		return e.Taken.Task
	}
	return e.Response.First.Task
}

func (l *Ladder) call(e *protocol.Exchange, phase protocol.Phase) {
	p := l.process(e.Request.First.Task.PID)
	c, _ := e.State.(*call)
	if c == nil {
		c = l.began(p, e)
	}
	switch phase {
	case protocol.RequestRead:
		p.payload.decide(c)
	case protocol.ResponseBegan:
		p.reading(c, e.Response.First.Task)
	case protocol.Ended:
		c.endedAt = e.End.Time
		c.ended()
		if e.Response.Complete {
			p.completed(c, e.Response.Last.Task)
		}
		if c.outlived() {
			c.alone()
		}
		c.detaches()
		c.statistics = p.statistics
		c.asked = p.statistics.ended(c)
		held := p.holds(c)
		if c.waits() {
			c.heldUntil, held = c.endedAt+l.maxWait/10, true
		}
		if c.decided && (c.parent != nil || !c.asked) && !held {
			l.emit(c)
			return
		}
		l.wait(c)
	}
}

// began finds the deed behind a new call and decides it as far as can be now.
func (l *Ladder) began(p *process, e *protocol.Exchange) *call {
	c := &call{exchange: e}
	defer func() { c.call = c }()
	e.State = c
	p.calls = true
	p.statistics.began()
	p.learn(e.Request.First)
	if a := l.connects[e.Connected]; e.Connected != nil && a != nil {
		delete(l.connects, e.Connected)
		p.connected(c, a)
	}
	if e.Asked != nil {
		p.learn(*e.Asked)
		c.act = act{origin: *e.Asked, to: remote(e.Conn), conn: e.Conn, call: c}
	} else if c.origin == (conn.Origin{}) {
		c.act = act{origin: e.Request.First, to: remote(e.Conn), conn: e.Conn, call: c}
	}
	if !c.decided && c.thread == nil && c.handoff == nil {
		p.decide(&c.act)
	}
	p.sharing.began(c)
	return c
}

func (l *Ladder) wait(c *call) {
	if len(l.waiting) >= maxWaiting {
		l.losses.Add(loss.ExchangeTableFull, 1)
		c.giveUp()
		l.emit(c)
		return
	}
	l.waiting = append(l.waiting, c)
}

// release emits the waiting calls that are decided, or that nothing can decide any more.
func (l *Ladder) release(now int64) {
	for _, p := range l.processes {
		for _, t := range p.threads {
			t.decode(&l.decoder, now)
		}
	}
	kept := l.waiting[:0]
	for _, c := range l.waiting {
		if !c.decided {
			c.conclude(now-c.endedAt > l.maxWait/10) // jobOrder.remembered depends on it
		}
		if !c.ready(now, now-c.endedAt > l.maxWait) {
			kept = append(kept, c)
			continue
		}
		l.emit(c)
	}
	clear(l.waiting[len(kept):])
	l.waiting = kept
	for _, c := range kept {
		if c.handoff != nil && c.handoff.queue.due {
			c.handoff.queue.assign() // with all that is known by now
		}
		if c.writers != nil && c.writers.order.due {
			c.writers.order.assign()
		}
	}
}

// ready decides a waiting call as far as can be now, and reports whether no more is to come.
func (c *call) ready(now int64, overdue bool) bool {
	if c.held(now) && !overdue {
		return false
	}
	if c.decided && c.parent != nil && (c.confidence >= sure || c.method != MethodLoop) {
		c.statistics.decided(c)
		return true
	}
	if !overdue && !c.decided && (c.byProof() || c.unfinished()) {
		return false
	}
	if !overdue && (!c.decided && (c.open() || !c.decoded(now)) || c.asked && c.guess == nil) {
		return false
	}
	if !c.decided {
		c.giveUp()
	}
	c.guessed()
	return true
}

func (l *Ladder) emit(c *call) {
	if c.outlived() || c.strays() {
		c.alone()
	}
	c.fansIn()
	c.follow(max(c.endedAt, l.now))
	link := Link{Exchange: c.exchange}
	if c.parent != nil {
		link.Parent, link.Method, link.Confidence = c.parent.exchange, c.method, c.confidence
	}
	link.Related = c.related()
	if c.runnerUp == nil && c.method == MethodLoop {
		c.nextBest()
	}
	if c.runnerUp != nil {
		link.RunnerUp, link.RunnerUpConfidence = c.runnerUp.exchange, c.runnerUpConfidence
	}
	c.stimulus, c.answer, c.trail = nil, nil, trail{} // else each call would keep those before it
	l.sink.Link(link)
}

// Tick implements protocol.Sink.
func (l *Ladder) Tick(now int64) {
	l.now = now
	for _, p := range l.processes {
		p.statistics.decide(now)
	}
	l.release(now)
	if now-l.tidied < tidyInterval {
		return
	}
	l.tidied = now
	for _, p := range l.processes {
		p.tidy(now)
	}
	for origin := range l.connects {
		if now-origin.Time > connectTimeout {
			delete(l.connects, origin)
		}
	}
}

// Flush emits everything that waits, as far as it is known.
func (l *Ladder) Flush() {
	for _, p := range l.processes {
		for _, t := range p.threads {
			t.decode(&l.decoder, math.MaxInt64)
		}
		p.statistics.flush()
	}
	for _, c := range l.waiting {
		if !c.decided && (c.handoff != nil || c.writers != nil) {
			c.conclude(true)
		}
	}
	for _, c := range l.waiting {
		if !c.decided && c.handoff != nil && !c.handoff.queue.assigned(c) {
			c.handoff.queue.assign()
		}
		if !c.decided && c.writers != nil && c.writers.order.due {
			c.writers.order.assign()
		}
	}
	for _, c := range l.waiting {
		c.ready(l.now, true)
		l.emit(c)
	}
	l.waiting = nil
}

// Waiting returns the number of ended calls whose parent is not decided yet.
func (l *Ladder) Waiting() int { return len(l.waiting) }
