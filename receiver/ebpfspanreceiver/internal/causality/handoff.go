package causality

import (
	"slices"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
)

const (
	// handoffSelf is the confidence where who has the answer to the call writes the response.
	handoffSelf = 0.99
	// handoffBoth is that where the request's task woke the worker, or the worker took the job from
	// it, and was woken by it afterwards.
	handoffBoth = 0.99
	// handoffBack is that of the backward view alone, handoffDoubt that where several requests
	// claim a call alike, or where the views differ.
	handoffBack, handoffDoubt = 0.98, 0.5
	// reliable is the share of confirmed guesses from which on the forward view has a say.
	reliable = 0.9
	// maxHeld bounds the results that one task holds, maxClaims the requests that claim a call.
	maxHeld, maxClaims = 64, 8
	// maxPassed is how many wake-ups a result goes on by from one task.
	maxPassed = 4
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
	workers  map[actor]*worker
	locks    locks
	jobs     jobs
	queue    jobOrder
	// forth tells how often the forward view was confirmed by the backward one.
	forth agreement
	// wanted is until when wake-ups are wanted.
	wanted int64
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
}

// result is the answer to a call in the hands of a task.
type result struct {
	call *call
	// hops is the number of wake-ups by which it came here, late how many others came before
	// these, each time after it had come to who woke, or were for results that came later.
	hops, late int
	// passed is how often it went on from here.
	passed int
	// older says that the task which read it had read another one when it woke somebody.
	older bool
}

// claimed is a request that was answered by who held a call's result.
type claimed struct {
	request    *request
	hops, late int
	older      bool
}

// nearer reports whether a result came a shorter way, or a more direct one.
func (c *claimed) nearer(o *claimed) bool {
	return c.hops < o.hops || c.hops == o.hops && c.late < o.late
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

func (h *handoff) opened(r *request) {
	h.requests = append(h.requests, r)
	h.queue.clock = max(h.queue.clock, r.read.Time)
	w := h.worker(actorOf(r.read.Task))
	w.reading = append(w.reading, r)
}

// closed takes a request that has ended: what came to its task while it was answered is its, too.
func (h *handoff) closed(r *request) {
	h.answers(r, r.exchange.Response.Last.Task)
	h.requests = without(h.requests, r)
	if h.wanted > 0 {
		h.queue.ended(r)
	}
	if w := h.workers[actorOf(r.read.Task)]; w != nil {
		w.reading = without(w.reading, r)
	}
}

func without(all []*request, r *request) []*request {
	if i := slices.Index(all, r); i >= 0 {
		return slices.Delete(all, i, i+1)
	}
	return all
}

// putOff leaves an act of a task without a request to this rung, where there is one
// that it may belong to.
func (h *handoff) putOff(a *act) {
	if by := a.origin.Task; len(h.requests) == 0 || by.Hidden > 0 || by.Thinned {
		a.settle(nil, "", 0)
		return
	}
	a.handoff = h
	h.queue.begun++
	a.place = h.queue.begun
	h.wanted = a.origin.Time + watchFor
}

// began takes a call whose act was put off: its task has done with the results of others.
func (h *handoff) began(c *call) {
	w := h.worker(actorOf(c.origin.Task))
	if r := w.order; r != nil && !r.answered && r.read.Time <= c.origin.Time {
		c.order = r
	}
	w.order = nil
	w.results = slices.DeleteFunc(w.results, func(r result) bool { return r.passed > 0 || r.hops > 0 })
}

// heard takes the first byte of the answer to a call, and the last one.
func (h *handoff) heard(c *call, by capture.Task) {
	if c.handoff == h && !c.decided {
		h.worker(actorOf(by)).receive([]result{{call: c}})
	}
}

// woke takes a wake-up: what the waker holds goes on to who is woken.
func (h *handoff) woke(w conn.Wake) {
	if h.locks.isLock(w) {
		return
	}
	waker, woken := h.worker(actorOf(w.Waker.Task)), h.worker(actorOf(w.Woken))
	if len(waker.reading) == 1 {
		// Who works on a request waits for its results, and for nobody else. A goroutine that
		// waits to hand a result over is woken by who takes it.
		if w.Woken.Goroutine != 0 && len(woken.reading) == 0 && woken.unpassed() {
			taken, _ := woken.pass(&h.jobs)
			waker.receive(taken)
			return
		}
		woken.order = waker.reading[0]
		return
	}
	carried, fresh := waker.pass(&h.jobs)
	if !fresh && len(woken.reading) == 1 {
		waker.order = woken.reading[0]
	}
	woken.receive(carried)
}

// pass hands on what the task holds, and reports whether something of it was not passed on before.
func (w *worker) pass(j *jobs) (copies []result, fresh bool) {
	var last *result
	alone := true
	for i := range w.results {
		r := &w.results[i]
		if r.passed > 0 {
			continue
		}
		fresh = true
		if r.hops > 0 {
			continue
		}
		if last != nil {
			last.older, alone = true, false
			j.habit(last.call).older++
		}
		last = r
	}
	if last != nil && alone {
		j.habit(last.call).alone++
	}
	newer := 0
	for i := range slices.Backward(w.results) {
		r := &w.results[i]
		if r.passed < maxPassed {
			copies = append(copies, result{call: r.call, hops: r.hops + 1, late: r.late + r.passed + newer, older: r.older})
		}
		if r.passed == 0 {
			newer++
		}
		r.passed++
	}
	slices.Reverse(copies)
	return copies, fresh
}

// jobs tells what results one job brings.
type jobs map[endpoint]*jobHabit

// jobHabit is how often the result of a kind of call was passed on alone, and how often
// together with a later one; how often it was a request's first call of the kind, and how often another one.
type jobHabit struct{ alone, older, first, more int }

func (j *jobs) habit(c *call) *jobHabit {
	if *j == nil || len(*j) >= maxClasses {
		*j = make(jobs)
	}
	e := c.endpoint(false)
	k := (*j)[e]
	if k == nil {
		k = &jobHabit{}
		(*j)[e] = k
	}
	return k
}

// serial reports whether a job goes on after such a call.
func (k *jobHabit) serial() bool { return k.alone*10 <= k.alone+k.older }

// once reports whether a request makes such a call once.
func (k *jobHabit) once() bool { return k.more*20 < k.first }

// unpassed reports whether the task holds a result that it has not passed on.
func (w *worker) unpassed() bool {
	return slices.ContainsFunc(w.results, func(r result) bool { return r.passed == 0 })
}

// receive takes results. With a new one a task has done with what it passed on; but what it
// read itself may be for who it has not woken yet.
func (w *worker) receive(results []result) {
	own, brought := false, false
	for _, r := range results {
		fresh := w.held(r.call) < 0
		own, brought = own || fresh && r.hops == 0, brought || fresh && r.hops > 0
	}
	w.results = slices.DeleteFunc(w.results, func(r result) bool {
		return r.call.decided || r.passed > 0 && (own || brought && r.hops > 0)
	})
	for _, r := range results {
		i := w.held(r.call)
		switch {
		case i < 0 && len(w.results) < maxHeld:
			w.results = append(w.results, r)
		case i >= 0:
			w.results[i].again(r)
		}
	}
}

// again takes a result that the task has: it is to be passed on anew, but for one that others
// bring back to who read it.
func (r *result) again(o result) {
	if r.hops > 0 || o.hops == 0 {
		r.passed = 0
	}
	if o.hops < r.hops || o.hops == r.hops && o.late < r.late {
		r.hops, r.late = o.hops, o.late
	}
}

func (w *worker) held(c *call) int {
	return slices.IndexFunc(w.results, func(r result) bool { return r.call == c })
}

// answers takes the first byte of a response, or the last: the results that its writer
// holds are the request's.
func (h *handoff) answers(r *request, by capture.Task) {
	self := actorOf(by)
	w := h.workers[self]
	if w == nil {
		return
	}
	for _, held := range w.results {
		c := held.call
		if c.decided || c.origin.Time < r.read.Time {
			continue
		}
		switch {
		case held.hops == 0 && actorOf(c.origin.Task) == self:
			c.settle(r, MethodHandoff, handoffSelf)
			h.took(c)
		case len(c.claims) < maxClaims:
			c.claims = append(c.claims, claimed{r, held.hops, held.late, held.older})
			r.claims = append(r.claims, c)
		}
	}
	w.results = w.results[:0]
}

// open reports whether a request that the act may belong to can still tell.
func (h *handoff) open(a *act) bool { return a.contested || h.candidates(a) }

// candidates reports whether a request is open that was when the act happened.
func (h *handoff) candidates(a *act) bool {
	return len(h.requests) > 0 && h.requests[0].read.Time <= a.origin.Time
}

// conclude settles a call that was claimed, once no other request can claim it. Where several
// have, those that come to a call of their own meanwhile are none of them. A call that nobody
// claimed waits as long, so that the calls around it are known.
func (h *handoff) conclude(a *act, waited bool) {
	if a.call != nil && !h.jobs.habit(a.call).serial() {
		a.claims = slices.DeleteFunc(a.claims, func(c claimed) bool { return c.older })
	}
	if len(a.claims) == 0 {
		a.contested = a.call != nil && !h.candidates(a) && !h.placed(a.call, waited)
		return
	}
	a.contested = !waited && slices.ContainsFunc(a.claims, func(c claimed) bool {
		return c.request != a.claims[0].request || sameKind(c.request.claims, a.call)
	})
	if !a.contested && (waited || !h.candidates(a)) {
		h.giveUp(a)
	}
}

// placed reports whether there is no more to learn of a call from its place among the others.
func (h *handoff) placed(c *call, waited bool) bool {
	if !h.queue.lose(c) {
		return true
	}
	if waited && !h.queue.assigned(c) {
		h.queue.assign(h.requests)
	}
	return waited
}

// giveUp settles a call by the best of its claims and by who ordered it.
func (h *handoff) giveUp(a *act) {
	best, rival := h.best(a)
	forth := h.forth.share()
	if best != nil && rival == nil && a.order != nil {
		h.forth.add(a.order == best)
	}
	switch {
	case best == nil && a.call != nil && a.call.queued != nil:
		a.settle(a.call.queued, MethodHandoff, a.call.queuedShare)
	case best == nil && a.order == nil:
		a.settle(nil, "", 0)
	case best == nil:
		a.settle(a.order, MethodHandoff, forth)
	case a.order == best:
		a.settle(best, MethodHandoff, handoffBoth)
	case a.order != nil && forth > reliable:
		a.settle(best, MethodHandoff, handoffDoubt)
		if a.claimedBy(a.order) {
			a.settle(a.order, MethodHandoff, forth)
		}
	case rival != nil:
		a.settle(best, MethodHandoff, handoffDoubt)
	default:
		a.settle(best, MethodHandoff, handoffBack)
	}
	if a.call != nil {
		h.took(a.call)
		a.call.statistics.decided(a.call)
	}
}

func (a *act) claimedBy(r *request) bool {
	return slices.ContainsFunc(a.claims, func(c claimed) bool { return c.request == r })
}

// took takes a call that was settled.
func (h *handoff) took(c *call) {
	if c.parent == nil || c.confidence <= reliable {
		return
	}
	habit := h.jobs.habit(c)
	if c.parent.made(c) {
		habit.more++
	} else {
		habit.first++
	}
	for _, o := range c.parent.handed {
		if !c.lost && !o.lost {
			h.queue.learn(o, c)
		}
	}
	c.parent.handed = append(c.parent.handed, c)
}

// made reports whether a request is known to have made another call of this kind.
func (r *request) made(c *call) bool {
	return sameKind(r.handed, c)
}

// sameKind reports whether there is another call of c's kind among some.
func sameKind(calls []*call, c *call) bool {
	return slices.ContainsFunc(calls, func(o *call) bool { return o != c && o.endpoint(false) == c.endpoint(false) })
}

// prefers reports whether another call of this kind came to the request a nearer way.
func (r *request) prefers(to *call, by *claimed) bool {
	for _, o := range r.claims {
		if o == to || o.endpoint(false) != to.endpoint(false) {
			continue
		}
		for i := range o.claims {
			if o.claims[i].request == r && o.claims[i].nearer(by) {
				return true
			}
		}
	}
	return false
}

// best returns the request that the result of a call came to the nearest way, of those alike the
// first, and the next of them.
func (h *handoff) best(a *act) (best, rival *request) {
	if a.call == nil {
		return nil, nil
	}
	var nearest *claimed
	once := h.jobs.habit(a.call).once()
	for i := range a.claims {
		c := &a.claims[i]
		switch {
		case once && (c.request.made(a.call) || c.request.prefers(a.call, c)), c.request == best:
		case best == nil || c.nearer(nearest):
			best, rival, nearest = c.request, nil, c
		case rival == nil && !nearest.nearer(c):
			rival = c.request
		}
	}
	return best, rival
}

// refuses reports whether a weaker rung's guess is against what hand-offs tell: the order
// has told, or the request is known to have made its one call of this kind.
func (h *handoff) refuses(c *call, r *request) bool {
	return c.queued != nil || h.jobs.habit(c).once() && r.made(c)
}
