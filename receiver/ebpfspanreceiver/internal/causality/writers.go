package causality

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
)

const (
	// enoughElsewhere is how many requests of shared connections must have been answered by another
	// thread than the one that read them, and everyElsewhere one in how many, for reading to say nothing.
	enoughElsewhere, everyElsewhere = 3, 10
	// maxRow is how many calls before a response are told apart.
	maxRow = 8
	// usualShare is the share of the responses from which on a number of calls before one is usual,
	// regularShare that of a thread's own responses with a usual number from which on it writes what
	// it works on, and enoughRows how many it takes to tell.
	usualShare, regularShare, enoughRows = 0.25, 0.6, 16
	// maxLate is how often other answers are read before a thread is woken for the answer to its own: measured, not more in
	// 99.5 %. Where another one has written its response, and its next call, it is 3 to 19, once 1.
	maxLate = 1
	// mostLocked is the share of the threads from which on those that never held a lock
	// are the library's own.
	mostLocked = 0.5
	// writersConfidence is that of a row of a thread that writes what it works on, writersDoubt that of the last call of
	// an unusual row: measured with gRPC's C core, 0.998 to 1 and 0.86 to 0.97 of these are right.
	writersConfidence, writersDoubt = 0.99, 0.88
)

// writers is the rung of threads of which any reads for all, as whoever waits polls all connections
// at that time (gRPC's C core: src/core/lib/iomgr/ev_epoll1_linux.cc), while each writes what it works
// on: so a call is the request's that its thread answers next.
//
// At times a thread writes for another one, which came to a connection while it was busy there. Three
// things tell: only who waits for an answer reads, or is woken for it, and who waits does not call; what the library's own
// threads write is never theirs, and they never hold the interpreter's lock; and a task of
// asyncio runs in its loop's thread, so that what another thread writes meanwhile is not the task's.
type writers struct {
	handoff *handoff
	// here and elsewhere count the requests of shared connections by whether who read them answered them.
	here, elsewhere int
	// all are the threads, and asyncio's tasks, whose names stand for one after the other.
	all map[hand]*writer
	// rows counts responses by the number of calls before them.
	rows  [maxRow + 1]int
	total int
	tasks loopTasks
	order writersOrder
}

// hand is a thread, or a task of asyncio.
type hand struct {
	task bool
	id   uint64
}

func threadHand(tid uint32) hand { return hand{false, uint64(tid)} }

// writer is what is known of one of them.
type writer struct {
	row row
	// usual counts its responses with a usual number of calls before, all of all.
	usual, all int
	active     int64
	// read is when the thread read anything last, locked that it woke somebody by a lock, or was woken.
	read   int64
	locked bool
	// woken is how often answers had been read when it was woken last by a futex of its own, as who waits for one is.
	woken int
}

// row is what one of them wrote since its last response.
type row struct {
	// since is when that was.
	since int64
	// number counts the calls, own is the last one that is its own, nil where there is none, and all are
	// those that are counted.
	number int
	own    *act
	all    []*act
	// lost says that it waited for a call that another one wrote.
	lost bool
}

// shared reports whether it says nothing who reads a request.
func (w *writers) shared() bool {
	return w.elsewhere >= enoughElsewhere && w.elsewhere*everyElsewhere >= w.here+w.elsewhere
}

// reads reports whether r was read by whoever polled.
func (w *writers) reads(r *request) bool { return r.exchange.Multiplexed && w.shared() }

// polled takes that a thread has read something: it waits for an answer.
func (w *writers) polled(by conn.Origin) {
	if w.shared() {
		w.writer(threadHand(by.Task.TID)).read = by.Time
	}
}

// woke takes a wake-up by a futex.
func (w *writers) woke(wake conn.Wake, f *futex) {
	switch woken := w.writer(threadHand(wake.Woken.TID)); {
	case f.isLock():
		w.writer(threadHand(wake.Waker.Task.TID)).locked, woken.locked = true, true
	case f.isOwn():
		woken.woken = w.order.heard
	}
}

// putOff leaves an act to what its thread, or its task, answers next.
func (w *writers) putOff(a *act) {
	if by := a.origin.Task; by.Hidden > 0 || by.Thinned {
		a.settle(nil, "", 0)
		return
	}
	a.writers = w
	if !w.tasks.most() {
		w.handoff.wanted = a.origin.Time + watchFor
	}
	a.lined.from = w.order.moment()
	if t := w.writes(a.origin); t != nil {
		a.byTask = w.tasks.most()
		t.row.add(a, t)
	}
}

// writes returns who writes, nil where it is for another one.
func (w *writers) writes(by conn.Origin) *writer {
	h := threadHand(by.Task.TID)
	w.tasks.wrote(by.Task)
	if w.tasks.most() {
		if !w.tasks.runIn(by.Task) {
			return nil
		}
		h = hand{true, by.Task.Coroutine}
	}
	t := w.writer(h)
	t.active = by.Time
	return t
}

func (w *writers) writer(h hand) *writer {
	t := w.all[h]
	if t == nil {
		if w.all == nil {
			w.all = make(map[hand]*writer)
		}
		t = &writer{}
		w.all[h] = t
	}
	return t
}

// add takes a call that was written by t. It is t's own where t may call: it waits for no answer.
func (r *row) add(a *act, t *writer) {
	if r.number++; r.number <= maxRow {
		r.all = append(r.all, a)
	}
	since := r.since
	if r.own != nil {
		end := r.own.call.endedAt
		if !a.byTask && (end == 0 || end > a.origin.Time) {
			return
		}
		since = end
	}
	if r.lost = r.lost || t.read > since && r.since > 0; r.lost {
		r.own = nil
		return
	}
	r.own = a
}

// responds takes the first byte of the response to r.
func (w *writers) responds(r *request, by capture.Task) {
	if !r.exchange.Multiplexed {
		return
	}
	w.counts(by.TID == r.read.Task.TID)
	if !w.shared() {
		return
	}
	at := r.exchange.Response.First.Time
	w.order.responds(r)
	t := w.writes(conn.Origin{Time: at, Task: by})
	if t == nil {
		return
	}
	if w.tasks.most() {
		r.coroutine = by.Coroutine
	}
	before := t.row
	t.row = row{since: at}
	w.learn(t, min(before.number, maxRow))
	if w.single() {
		if a := before.own; a != nil && w.works(t) && r.answers(a) && !t.waited(a) {
			w.order.proposes(a.call, r, w.confidence(true))
		}
		return
	}
	before.settle(w, r, w.usual(before.number) && t.regular() && w.works(t))
}

// waited reports whether a thread has waited for something else since its call was answered: it has read, or was woken when
// other answers had been read.
func (t *writer) waited(since *act) bool {
	return t.read > since.call.endedAt || t.woken-since.heard > maxLate
}

// settle settles the calls of a row where requests make several, or none: all of them where their
// number is usual, else the last one.
func (r *row) settle(w *writers, to *request, usual bool) {
	for i, a := range r.all {
		switch {
		case a.decided:
		case !to.answers(a), !w.usual(r.number) && i < len(r.all)-1:
			a.settle(nil, "", 0)
		default:
			a.settle(to, a.byWriter(), w.confidence(usual))
		}
	}
}

// learn counts a row.
func (w *writers) learn(t *writer, number int) {
	if w.total++; w.total > maxHabits {
		w.total = 0
		for i := range w.rows {
			w.rows[i] /= 2
			w.total += w.rows[i]
		}
	}
	w.rows[number]++
	t.all++
	if w.usual(number) {
		t.usual++
	}
}

func (w *writers) counts(here bool) {
	if w.here+w.elsewhere >= maxHabits {
		w.here, w.elsewhere = w.here/2, w.elsewhere/2
	}
	if here {
		w.here++
	} else {
		w.elsewhere++
	}
}

// usual reports whether so many calls before a response are common.
func (w *writers) usual(number int) bool {
	return number < len(w.rows) && float64(w.rows[number]) >= usualShare*float64(w.total)
}

// single reports whether requests make one call, or none.
func (w *writers) single() bool {
	for number := 2; number < len(w.rows); number++ {
		if w.total >= enoughRows && w.usual(number) {
			return false
		}
	}
	return true
}

// regular reports whether a thread writes what it works on, mostly.
func (t *writer) regular() bool {
	return t.all < enoughRows || float64(t.usual) >= regularShare*float64(t.all)
}

// works reports whether it is not one of the library's own threads, as far as is known: among threads that share an interpreter's
// lock, one that never held it.
func (w *writers) works(t *writer) bool {
	if w.tasks.most() || t.locked {
		return true
	}
	locked, all := 0, 0
	for h, o := range w.all {
		if !h.task && o.all > 0 {
			all++
			if o.locked {
				locked++
			}
		}
	}
	return float64(locked) < mostLocked*float64(all)
}

// answers reports whether r was read before a call, and answered after it was.
func (r *request) answers(a *act) bool {
	return a.origin.Time >= r.read.Time && a.call != nil && a.call.endedAt != 0 &&
		a.call.endedAt <= r.exchange.Response.First.Time
}

func (a *act) byWriter() Method {
	if a.byTask {
		return MethodTask
	}
	return MethodHandoff
}

func (w *writers) confidence(usual bool) float64 {
	switch {
	case !usual:
		return writersDoubt
	case w.total < enoughRows:
		return unconfirmed
	}
	return writersConfidence
}

// open reports whether there is more to learn of an act, or a request that it may belong to can still tell.
func (w *writers) open(a *act) bool { return a.unsettled || w.handoff.candidates(a) }

// conclude settles an act once those around it are known.
func (w *writers) conclude(a *act, waited bool) {
	c := a.call
	a.unsettled = !waited || !w.order.assigned(c)
	switch {
	case !waited:
	case a.unsettled:
		w.order.due = true
	case c.queued != nil && c.queuedShare > reliable:
		w.giveUp(a)
	}
}

// giveUp settles an act by what is known by now.
func (w *writers) giveUp(a *act) {
	c := a.call
	switch {
	case c.queued != nil:
		a.settle(c.queued, a.byWriter(), c.queuedShare)
	case a.proposed != nil && w.order.decided < c.endedAt:
		a.settle(a.proposed, a.byWriter(), a.proposedShare)
	default:
		a.settle(nil, "", 0)
	}
}

// tidy forgets who has written nothing for long.
func (w *writers) tidy(now int64) {
	for h, t := range w.all {
		if now-max(t.active, t.read) > idleThread {
			delete(w.all, h)
		}
	}
	w.order.tidy(now)
}
