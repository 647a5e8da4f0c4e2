package causality

import "github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"

const (
	// coroutineConfidence is that of the coroutine rung: a task's address may be another
	// one's a moment later.
	coroutineConfidence = 0.999
	// maxCoroutines bounds the tasks whose deeds wait for a response.
	maxCoroutines = 16_384
)

// coroutines is the rung of asyncio's tasks. Which request a task works for is known when
// it begins the response: what it did since that request was read was for it. The names
// of tasks are those of tasks that nobody waits for, so that what a request's children
// do is its own.
type coroutines struct {
	// answering are the requests whose response was begun and has not ended.
	answering map[uint64]*request
	// waiting are the deeds since then, of tasks that have not begun a response.
	waiting map[uint64][]*act
	// alone are the tasks that called while nothing was open and have begun no response since, by
	// when they called last.
	alone map[uint64]int64
	// strangers tells how many acts of tasks that began no response the loop was sure of.
	strangers agreement
}

func newCoroutines() coroutines {
	return coroutines{answering: make(map[uint64]*request), waiting: make(map[uint64][]*act), alone: make(map[uint64]int64)}
}

// decide settles the deed where its task answers a request already. Otherwise it waits.
func (c *coroutines) decide(a *act) {
	id := a.origin.Task.Coroutine
	if id == 0 {
		return
	}
	if _, alone := c.alone[id]; alone {
		c.alone[id] = a.origin.Time
	}
	if r := c.answering[id]; r != nil {
		a.byCoroutine(r)
		return
	}
	if a.decided || len(c.waiting) >= maxCoroutines && c.waiting[id] == nil {
		return
	}
	c.waiting[id] = append(c.waiting[id], a)
}

// actsAlone takes a deed while nothing is open: a task that works for nobody.
func (c *coroutines) actsAlone(a *act) {
	id := a.origin.Task.Coroutine
	if _, known := c.alone[id]; id != 0 && !a.blind() && (known || len(c.alone) < maxCoroutines) {
		c.alone[id] = a.origin.Time
	}
}

// worksAlone reports whether the act is of a task that calls while nothing is open, too.
func (a *act) worksAlone() bool {
	if a.origin.Task.Coroutine == 0 || a.thread == nil {
		return false
	}
	_, alone := a.thread.process.coroutines.alone[a.origin.Task.Coroutine]
	return alone
}

// ofAnotherTask reports whether r was answered by another task than the act's, which nobody waits for.
func (a *act) ofAnotherTask(r *request) bool {
	id := a.origin.Task.Coroutine
	return r != nil && id != 0 && r.coroutine != 0 && r.coroutine != id
}

// strange reports whether the act is of a task that began no response, and no more is known of whose it is. Some such tasks work
// for requests without being waited for, as far as can be seen: if so, the loop is sure of most. Where it is not, they work
// for nobody, and those of which it seems sure do as well.
func (a *act) strange() bool {
	const known = 4
	first, _, p, _ := a.belief.best()
	if first != nil && !a.ofAnotherTask(first) || a.origin.Task.Coroutine == 0 {
		return false
	}
	s := &a.thread.process.coroutines.strangers
	s.add(p >= sure)
	return p < sure || s.total < known || s.share() < doubtful
}

// concludeTask settles an act of a task while one request only was open, which another
// task may have answered.
func (a *act) concludeTask(waited, over bool) {
	switch {
	case a.worksAlone():
		a.alone()
	case !over && (a.open() || !waited):
		// The response of its request will tell, or that it calls alone.
	case a.doubt > doubtful || !a.waitedFor(a.sole):
		a.alone()
	default:
		a.settle(a.sole, MethodThread, (1-a.doubt)*threadConfidence)
	}
}

// byCoroutine settles the deed, for the loop as well.
func (a *act) byCoroutine(r *request) {
	a.thread = nil
	a.settle(r, MethodTask, coroutineConfidence)
}

// took makes the call's deed of a connect the one that waits.
func (c *coroutines) took(connect *act, by *act) {
	waiting := c.waiting[by.origin.Task.Coroutine]
	for i := range waiting {
		if waiting[i] == connect {
			waiting[i] = by
		}
	}
}

// responds takes the first byte of the response to r.
func (c *coroutines) responds(r *request, by capture.Task) {
	if by.Coroutine == 0 {
		return
	}
	for _, a := range c.waiting[by.Coroutine] {
		if !a.settled() && a.origin.Time >= r.read.Time {
			a.byCoroutine(r)
		}
	}
	delete(c.waiting, by.Coroutine)
	delete(c.alone, by.Coroutine)
	c.answering[by.Coroutine] = r
	r.coroutine = by.Coroutine
}

// closed takes a request that has ended.
func (c *coroutines) closed(r *request) {
	if r.coroutine != 0 && c.answering[r.coroutine] == r {
		delete(c.answering, r.coroutine)
	}
}

// tidy forgets what no response has told and none will.
func (c *coroutines) tidy(now int64) {
	for id, at := range c.alone {
		if now-at > afterFor {
			delete(c.alone, id)
		}
	}
	for id, waiting := range c.waiting {
		kept := waiting[:0]
		for _, a := range waiting {
			if !a.decided && now-a.origin.Time < connectTimeout {
				kept = append(kept, a)
			}
		}
		clear(waiting[len(kept):])
		if len(kept) == 0 {
			delete(c.waiting, id)
			continue
		}
		c.waiting[id] = kept
	}
}

// WantsCoroutines returns the processes whose threads work on several requests at a time
// and run Python, so that its tasks tell what the threads do not. It is valid until the
// next call.
func (l *Ladder) WantsCoroutines() []uint32 {
	l.looping = l.looping[:0]
	for pid, p := range l.processes {
		if p.python && p.loops {
			l.looping = append(l.looping, pid)
		}
	}
	return l.looping
}
