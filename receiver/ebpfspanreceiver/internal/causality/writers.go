package causality

import (
	"slices"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
)

const (
	// enoughElsewhere is how many requests of shared connections must have been answered by another
	// thread than the one that read them, and everyElsewhere one in how many, for reading to say nothing.
	enoughElsewhere, everyElsewhere = 3, 10
	// maxWritten bounds the calls of a thread that wait for its next response.
	maxWritten = 64
	// maxRow is how many calls before a response are told apart.
	maxRow = 8
	// usualShare is the share of the responses from which on a number of calls before one is usual,
	// regularShare that of a thread's own responses with a usual number from which on it writes what
	// it works on, and enoughRows how many it takes to tell.
	usualShare, regularShare, enoughRows = 0.25, 0.6, 16
	// writersConfidence is that of a usual row of a thread that writes what it works on, writersDoubt that
	// of others' last call: measured with gRPC's C core, 0.98 to 1 and 0.86 to 0.97 of these are right.
	writersConfidence, writersDoubt = 0.99, 0.88
)

// writers is the rung of threads of which any reads for all, as whoever waits polls all connections
// at that time (gRPC's C core: src/core/lib/iomgr/ev_epoll1_linux.cc), while each writes what it works
// on: so a call is the request's that its thread answers next.
//
// At times a thread writes for another one, that came to a connection just then. This shows as too few
// calls before a response, or too many.
type writers struct {
	handoff *handoff
	// here and elsewhere count the requests of shared connections by whether who read them answered them.
	here, elsewhere int
	// all are the threads, and asyncio's tasks, whose names stand for one after the other.
	all map[hand]*writer
	// rows counts responses by the number of calls before them.
	rows  [maxRow + 1]int
	total int
}

// hand is a thread, or a task of asyncio.
type hand struct {
	task bool
	id   uint64
}

func handOf(by capture.Task) hand {
	if by.Coroutine != 0 {
		return hand{true, by.Coroutine}
	}
	return hand{false, uint64(by.TID)}
}

// writer is what is known of one of them.
type writer struct {
	// calls are those since its last response, row is that response with those before it, which
	// count once it is known that no other response follows at once.
	calls []*act
	row   row
	// usual counts its responses with a usual number of calls before, all of all.
	usual, all int
	active     int64
}

// row is what a thread wrote up to a response.
type row struct {
	request *request
	calls   []*act
	number  int
}

// shared reports whether it says nothing who reads a request.
func (w *writers) shared() bool {
	return w.elsewhere >= enoughElsewhere && w.elsewhere*everyElsewhere >= w.here+w.elsewhere
}

// reads reports whether r was read by whoever polled.
func (w *writers) reads(r *request) bool { return r.exchange.Multiplexed && w.shared() }

// putOff leaves an act to what its thread, or its task, answers next.
func (w *writers) putOff(a *act) {
	if by := a.origin.Task; by.Hidden > 0 || by.Thinned {
		a.settle(nil, "", 0)
		return
	}
	a.writers = w
	t := w.writer(a.origin.Task)
	w.confirm(t, true)
	t.active = a.origin.Time
	if len(t.calls) == maxWritten {
		t.calls[0].settle(nil, "", 0)
		t.calls = t.calls[1:]
	}
	t.calls = append(t.calls, a)
}

func (w *writers) writer(by capture.Task) *writer {
	h := handOf(by)
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

// responds takes the first byte of the response to r.
func (w *writers) responds(r *request, by capture.Task) {
	if !r.exchange.Multiplexed {
		return
	}
	w.counts(by.TID == r.read.Task.TID)
	if !w.shared() {
		return
	}
	t := w.writer(by)
	number := len(t.calls)
	if w.confirm(t, number > 0 || w.usual(0)); number > maxRow {
		number = maxRow
	}
	t.row = row{request: r, calls: t.calls, number: number}
	t.calls, t.active = nil, r.exchange.Response.First.Time
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
	return float64(w.rows[number]) >= usualShare*float64(w.total)
}

// regular reports whether a thread writes what it works on, mostly.
func (t *writer) regular() bool {
	return t.all < enoughRows || float64(t.usual) >= regularShare*float64(t.all)
}

// confirm settles the calls of a thread's last row. If its next response followed without a call, though
// that is not usual, one of the two was another thread's.
func (w *writers) confirm(t *writer, follows bool) {
	r := t.row
	t.row = row{}
	usual := w.usual(r.number)
	for i, a := range r.calls {
		switch {
		case a.decided:
		case !r.answers(a), !usual && i < len(r.calls)-1:
			a.settle(nil, "", 0)
		default:
			// In a row that is too long the last call is the thread's own, mostly.
			a.settle(r.request, a.byWriter(), w.confidence(usual && follows && t.regular()))
		}
	}
}

// answers reports whether the request was read before a call, and answered after it was.
func (r *row) answers(a *act) bool {
	return a.origin.Time >= r.request.read.Time && a.call != nil && a.call.endedAt != 0 &&
		a.call.endedAt <= r.request.exchange.Response.First.Time
}

func (a *act) byWriter() Method {
	if a.origin.Task.Coroutine != 0 {
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

// open reports whether a request that the act may belong to can still tell.
func (w *writers) open(a *act) bool { return w.handoff.candidates(a) }

// conclude settles an act whose row is complete for a while: nothing follows on it.
func (w *writers) conclude(a *act, waited bool) {
	if t := w.all[handOf(a.origin.Task)]; waited && t != nil && t.row.request != nil {
		w.confirm(t, true)
	}
}

// giveUp settles an act by what its thread has answered since, if it has.
func (w *writers) giveUp(a *act) {
	if t := w.all[handOf(a.origin.Task)]; t != nil && slices.Contains(t.row.calls, a) {
		w.confirm(t, true)
	}
	if !a.decided {
		a.settle(nil, "", 0)
	}
}

// tidy forgets who has written nothing for long.
func (w *writers) tidy(now int64) {
	for h, t := range w.all {
		if now-t.active > idleThread {
			delete(w.all, h)
		}
	}
}
