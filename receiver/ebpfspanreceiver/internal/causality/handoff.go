package causality

import (
	"slices"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
)

const (
	// maxClaims bounds the requests that claim a call.
	maxClaims = 8
	// maxActors bounds one generation of the tasks of a process that are remembered.
	maxActors = 16384
	// watchFor is how long wake-ups are asked for after a call that needs them, in
	// nanoseconds: switching them costs more than some that nobody needs.
	watchFor = int64(30e9)
)

// actor is a thread or a goroutine that works for others.
type actor struct {
	goroutine bool
	id        uint64
}

func actorOf(task capture.Task) actor {
	if task.Goroutine != 0 {
		return actor{true, task.Goroutine}
	}
	return actor{false, uint64(task.TID)}
}

// handoff is the rung of calls that one task makes for a request that another one
// answers: a worker of a pool.
//
// Who read the answer to a call holds its result. By a wake-up the result goes on to who is woken,
// from there to whom that one wakes, and so to who answers a request: that request claims the
// call. Of several that claim it the one is taken that the result came to by the fewest
// wake-ups. Forward, the worker was woken by who has the request, or woke it when it took its job.
// Wake-ups that only hand over a lock say nothing.
type handoff struct {
	// requests are the open ones of the process, in the order of reading.
	requests []*request
	// workers are the tasks, in two generations: the older one is dropped when the younger is full.
	workers, older map[actor]*worker
	// latest is one of workers, nil where none was asked for yet: most is asked several times in a row.
	latest   *worker
	latestOf actor
	locks    locks
	jobs     jobs
	queue    jobOrder
	// forth tells how often the forward view was confirmed by the backward one, upheld how often
	// the nearest claim was not refuted because that request has another such call.
	forth, upheld agreement
	// wanted is until when wake-ups are wanted.
	wanted int64
	// read is the call whose answer was read last, taken counts the calls that were settled.
	read  *call
	taken int
	// takenOver says that a request was answered by another task than the one that read it.
	takenOver bool
	// asked is when wake-ups were asked for first, woken when the last one was seen, and hearing
	// since when they are; 0 where none was.
	asked, woken, hearing int64
}

// worker is what is known of one task.
type worker struct {
	// reading are the open requests that it read.
	reading []*request
	// results are those that it may act on next.
	results []result
	// order is the request whose task woke this one last, or was woken by it last for another
	// reason than a result.
	order *request
	// took is the last moment since it has read an answer next to which it took a job.
	took     instant
	released released
	// own are the calls that it made for others, started those of the goroutines that it started.
	own, started ties
	// attendant says that it reads or writes a connection for those who ask.
	attendant bool
}

// known returns what is known of a task, nil where that is nothing.
func (h *handoff) known(a actor) *worker {
	if w := h.young(a); w != nil {
		return w
	}
	return h.older[a]
}

// young returns a task's worker if it is in the younger generation, else nil.
func (h *handoff) young(a actor) *worker {
	if h.latest != nil && h.latestOf == a {
		return h.latest
	}
	w := h.workers[a]
	if w != nil {
		h.latest, h.latestOf = w, a
	}
	return w
}

func (h *handoff) worker(a actor) *worker {
	if w := h.young(a); w != nil {
		return w
	}
	w := h.older[a]
	if w == nil {
		w = &worker{}
	}
	if h.workers == nil || len(h.workers) >= maxActors {
		h.older, h.workers = h.workers, make(map[actor]*worker)
	}
	h.workers[a], h.latest, h.latestOf = w, w, a
	return w
}

func (h *handoff) opened(r *request) {
	h.waits(r)
	w := h.worker(actorOf(r.read.Task))
	w.reading = append(w.reading, r)
}

// waits takes a request of which nobody knows who works on it.
func (h *handoff) waits(r *request) {
	h.requests = append(h.requests, r)
	h.queue.clock = max(h.queue.clock, r.read.Time)
}

// takes takes a request that another task works on than the one that read it.
func (h *handoff) takes(r *request, by capture.Task) {
	if w := h.known(actorOf(r.read.Task)); w != nil {
		w.reading = without(w.reading, r)
	}
	w := h.worker(actorOf(by))
	w.reading = append(w.reading, r)
}

// closed takes a request that has ended: what came to its task while it was answered is its, too.
func (h *handoff) closed(r *request) {
	if w := h.known(actorOf(r.read.Task)); w != nil {
		if last := r.exchange.Response.Last.Task; len(w.reading) == 1 && w.reading[0] == r && actorOf(last) == actorOf(r.read.Task) {
			h.answers(r, last)
		}
		w.reading = without(w.reading, r)
	}
	h.requests = without(h.requests, r)
	if h.wanted > 0 {
		h.queue.ended(r)
	}
}

func without(all []*request, r *request) []*request {
	if i := slices.Index(all, r); i >= 0 {
		return slices.Delete(all, i, i+1)
	}
	return all
}

// mayServe reports whether a task that has read no request may work on one that another task
// has read.
func (h *handoff) mayServe() bool { return h.takenOver && len(h.requests) > 0 }

// putOff leaves an act of a task without a request to this rung, where there is one
// that it may belong to.
func (h *handoff) putOff(a *act) {
	if by := a.origin.Task; len(h.requests) == 0 || by.Hidden > 0 || by.Thinned {
		a.settle(nil, "", 0)
		return
	}
	a.handoff, a.crowd = h, len(h.requests) > 1
	h.begins(a)
	if a.conn != nil || a.origin.Task.Goroutine == 0 {
		// A goroutine that connects may do so for whoever shares the connection: what asks tells.
		h.wanted = a.origin.Time + watchFor
		if h.asked == 0 {
			h.asked = a.origin.Time
		}
	}
}

// begins takes an act that was put off: its task has done with the results of others.
func (h *handoff) begins(a *act) {
	w := h.worker(actorOf(a.origin.Task))
	if r := w.order; r != nil && !r.answered && r.read.Time <= a.origin.Time {
		a.order = r
	}
	w.order = nil
	w.results = slices.DeleteFunc(w.results, func(r result) bool { return r.passed > 0 || r.hops > 0 })
	h.queue.began(a, w)
}

// heard takes the first byte of the answer to a call, and the last one.
func (h *handoff) heard(c *call, by capture.Task) {
	if c.exchange.Asked != nil {
		h.attends(c, by)
		by = c.origin.Task // who reads reads for others; it hands the result to who asked
	}
	if c.handoff != h || c.decided {
		return
	}
	if c.kind == nil {
		c.kind = h.jobs.habit(c)
		h.queue.places.names(c.place, c.kind)
	}
	h.read = c
	w := h.worker(actorOf(by))
	w.unmark()
	w.receive([]result{{call: c, manner: manner(0).with(own, actorOf(c.origin.Task) == actorOf(by))}})
}

// woke takes a wake-up: what the waker holds goes on to who is woken.
func (h *handoff) woke(w conn.Wake) {
	h.hears(w.Waker.Time)
	waker, woken := h.worker(actorOf(w.Waker.Task)), h.worker(actorOf(w.Woken))
	f := h.locks.woke(w, len(woken.reading) > 0)
	if f != nil {
		h.queue.places.woke(waker, woken, f, w.Waker.Time)
		if f.isLock() {
			return
		}
	}
	if waker.attendant || woken.attendant {
		return
	}
	if len(waker.reading) == 1 {
		// Who works on a request waits for its results, and for nobody else. A goroutine that
		// waits to hand a result over is woken by who takes it.
		if w.Woken.Goroutine != 0 && len(woken.reading) == 0 && woken.unpassed() {
			taken, _ := woken.pass(waker, f, &h.jobs)
			waker.receive(taken)
			return
		}
		woken.order = waker.reading[0]
		return
	}
	carried, fresh := waker.pass(woken, f, &h.jobs)
	for i := range carried {
		if r := &carried[i]; r.hops == 2 {
			r.manner = r.manner.with(lone, r.call == h.read)
		}
	}
	if !fresh && len(woken.reading) == 1 {
		waker.order = woken.reading[0]
	}
	woken.receive(carried)
}

// answers takes the first byte of a response, or the last: the results that its writer
// holds are the request's.
func (h *handoff) answers(r *request, by capture.Task) {
	self := actorOf(by)
	h.takenOver = h.takenOver || self != actorOf(r.read.Task)
	w := h.known(self)
	if w == nil {
		return
	}
	for _, held := range w.results {
		c := held.call
		if held.hops == 1 {
			held.manner = held.manner.with(lone, c == h.read)
		}
		switch {
		case c.decided || c.origin.Time < r.read.Time:
		case held.hops == 0 && actorOf(c.origin.Task) == self:
			c.settle(r, MethodHandoff, handoffSelf)
			h.took(c)
		case len(c.claims) < maxClaims:
			c.claims = append(c.claims, claimed{request: r, late: held.late, hops: held.hops, older: held.older, via: held.via, manner: held.manner, crowded: len(w.reading) > 1})
			r.claims = append(r.claims, c)
		}
	}
	clear(w.results)
	w.results = w.results[:0]
}

// tidy lets tasks that have nothing to do go of calls that are decided: each holds an exchange.
func (h *handoff) tidy() {
	h.read = nil
	for _, generation := range []map[actor]*worker{h.workers, h.older} {
		for _, w := range generation {
			w.results = slices.DeleteFunc(w.results, func(r result) bool { return r.call.decided })
			if len(w.results) == 0 {
				w.results = nil
			}
		}
	}
}

// open reports whether a request that the act may belong to can still tell.
func (h *handoff) open(a *act) bool { return a.unsettled || h.candidates(a) }

// candidates reports whether a request is open that was when the act happened.
func (h *handoff) candidates(a *act) bool {
	return len(h.requests) > 0 && h.requests[0].read.Time <= a.origin.Time
}
