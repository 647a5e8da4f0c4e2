package causality

import (
	"slices"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
)

const (
	// handoffBoth is the confidence where the worker was woken by who answered, and woke it.
	handoffBoth = 0.99
	// handoffBack is that of the backward view alone, handoffForth that of the forward one,
	// which is not enough for a parent.
	handoffBack, handoffForth = 0.97, 0.85
	// maxHandedOver bounds the calls that are remembered for one task.
	maxHandedOver = 256
	// maxActors bounds the tasks of one process that are remembered.
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
// answers: a worker of a pool. Backward, who answers was woken by the worker that had
// the answer to the call; or the worker answers itself. Forward, the worker was woken
// by who has the request. Wake-ups that only hand over a lock say nothing.
type handoff struct {
	// requests are the open ones of the process, in the order of reading.
	requests []*request
	workers  map[actor]*worker
	locks    locks
	// wanted is until when wake-ups are wanted.
	wanted int64
}

// worker is what is known of one task.
type worker struct {
	// made are the calls that it made and that nobody has claimed, done those of them
	// that are complete, since it last woke somebody.
	made []*call
	// brought are completed calls of others that woke this task after them.
	brought []*call
	// wokenBy is who woke it last.
	wokenBy actor
}

func (h *handoff) worker(a actor) *worker {
	w := h.workers[a]
	if w == nil {
		if h.workers == nil || len(h.workers) >= maxActors {
			h.workers = make(map[actor]*worker)
		}
		w = &worker{}
		h.workers[a] = w
	}
	return w
}

func (h *handoff) opened(r *request) { h.requests = append(h.requests, r) }

func (h *handoff) closed(r *request) {
	if i := slices.Index(h.requests, r); i >= 0 {
		h.requests = slices.Delete(h.requests, i, i+1)
	}
}

// putOff leaves an act of a task without a request to this rung, where there is one
// that it may belong to.
func (h *handoff) putOff(a *act) {
	if by := a.origin.Task; len(h.requests) == 0 || by.Hidden > 0 || by.Thinned {
		a.settle(nil, "", 0)
		return
	}
	a.handoff = h
	h.wanted = a.origin.Time + watchFor
}

// began takes a call whose act was put off.
func (h *handoff) began(c *call) {
	w := h.worker(actorOf(c.origin.Task))
	c.orderedBy = w.wokenBy
	if len(w.made) >= maxHandedOver {
		w.made = w.made[1:]
	}
	w.made = append(w.made, c)
}

// open reports whether a request that the act may belong to can still tell.
func (h *handoff) open(a *act) bool {
	return len(h.requests) > 0 && h.requests[0].read.Time <= a.origin.Time
}

// woke takes a wake-up: what the waker has completed since it last woke somebody is
// for who is woken, or for whom that one works.
func (h *handoff) woke(w conn.Wake) {
	if h.locks.isLock(w) {
		return
	}
	from, to := actorOf(w.Waker.Task), actorOf(w.Woken)
	waker, woken := h.worker(from), h.worker(to)
	woken.wokenBy = from
	carried := waker.brought
	waker.brought = nil
	waker.made = slices.DeleteFunc(waker.made, func(c *call) bool {
		if !c.heard {
			return false
		}
		carried = append(carried, c)
		return true
	})
	if n := len(woken.brought) + len(carried) - maxHandedOver; n > 0 {
		woken.brought = woken.brought[min(n, len(woken.brought)):]
	}
	woken.brought = append(woken.brought, carried...)
}

// answers takes the first byte of a response: what its writer made or was brought
// since the request was read is the request's.
func (h *handoff) answers(r *request, by capture.Task) {
	self := actorOf(by)
	w := h.workers[self]
	if w == nil {
		return
	}
	for _, c := range w.brought {
		confidence := handoffBack
		if c.orderedBy == self {
			confidence = handoffBoth
		}
		c.handOver(r, confidence)
	}
	w.brought = w.brought[:0]
	if actorOf(r.read.Task) == self {
		return
	}
	for _, c := range w.made {
		c.handOver(r, handoffBoth)
	}
	w.made = w.made[:0]
}

// handOver settles a call as r's if it was made while r was open.
func (c *call) handOver(r *request, confidence float64) {
	if !c.decided && c.handoff != nil && c.origin.Time >= r.read.Time {
		c.settle(r, MethodHandoff, confidence)
	}
}

// giveUp settles a call that nobody claimed: by who ordered it, if that task has one
// request only.
func (h *handoff) giveUp(a *act) {
	var found *request
	for _, r := range h.requests {
		if actorOf(r.read.Task) == a.orderedBy && r.read.Time <= a.origin.Time {
			if found != nil {
				found = nil
				break
			}
			found = r
		}
	}
	if found == nil {
		a.settle(nil, "", 0)
		return
	}
	a.settle(found, MethodHandoff, handoffForth)
}

// locks tells the futexes of locks from those of hand-offs: a lock wakes now this
// task and now that one, again and again; who waits for an answer has a futex of
// its own, or one of many.
type locks struct {
	wakes float64
	seen  map[uint64]*futex
}

type futex struct {
	wakes float64
	woken [4]actor
	kinds int
}

func (l *locks) isLock(w conn.Wake) bool {
	const share, tasks, enough, maxFutexes = 0.15, 4, 32, 4096
	if w.Futex == 0 {
		return false
	}
	if l.seen == nil || len(l.seen) >= maxFutexes {
		l.seen, l.wakes = make(map[uint64]*futex), 0
	}
	f := l.seen[w.Futex]
	if f == nil {
		f = &futex{}
		l.seen[w.Futex] = f
	}
	l.wakes++
	f.wakes++
	woken := actorOf(w.Woken)
	if f.kinds < tasks && !slices.Contains(f.woken[:f.kinds], woken) {
		f.woken[f.kinds] = woken
		f.kinds++
	}
	return l.wakes >= enough && f.kinds >= tasks && f.wakes > share*l.wakes
}
