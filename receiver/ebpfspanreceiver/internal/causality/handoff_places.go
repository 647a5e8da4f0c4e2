package causality

import (
	"cmp"
	"slices"
)

const (
	// maxPlaces bounds one generation of the acts whose places are remembered.
	maxPlaces = 8192
	// together is how far apart, in nanoseconds, wake-ups are at most by which a task gives up one lock.
	together = int64(20e3)
	// staleAfter is how long, in nanoseconds, before an act begins its task gave a lock up for that to say little: it may not
	// have had its job then. CPython takes its lock from a thread that has run for 5 ms. Measured, of what the order says next
	// to such acts 0.6 % are wrong after 1 to 3 ms, 4 % after that, and 0.1 % of the others.
	staleAfter = int64(1e6)
	// turns is how many acts before and after two neighbours have to take turns by their kind for the order to be undisturbed.
	// Measured with two calls at once by 32 threads of CPython, 4.9 % are wrong where the next act does not, 0.5 % where the second
	// or the third one does not, and 0.06 % of the others.
	turns = 3
)

// places are the acts of workers in the order in which they took their jobs.
//
// A job is taken under a lock: that of the queue, or an interpreter's. Between that and the act's system
// call the thread may have to wait, so that acts overtake each other. But who gives a lock up for which
// others wait wakes one of them, and that moment is in between, or is the taking itself.
type places struct {
	// clock counts the moments, and taken has those of the last acts, in order. Before them there were
	// forgotten ones.
	clock, forgotten int
	taken            []step
}

// step is an act at its moment. kind is that of its call, nil until it is answered.
type step struct {
	moment int
	kind   *jobHabit
}

// instant is a moment and its time, in nanoseconds. Its moment is 0 where there was none.
type instant struct {
	moment int
	at     int64
}

// moment returns the present one.
func (p *places) moment() int {
	p.clock++
	return p.clock
}

// take remembers that an act belongs to a moment.
func (p *places) take(moment int) {
	if len(p.taken) >= 2*maxPlaces {
		p.taken = slices.Delete(p.taken, 0, maxPlaces)
		p.forgotten += maxPlaces
	}
	p.taken = slices.Insert(p.taken, p.index(moment), step{moment: moment})
}

// index returns how many of the remembered acts there were before a moment.
func (p *places) index(moment int) int {
	i, _ := slices.BinarySearchFunc(p.taken, moment, func(s step, m int) int { return cmp.Compare(s.moment, m) })
	return i
}

// names takes of what kind the act at a moment was.
func (p *places) names(moment int, kind *jobHabit) {
	for i := p.index(moment); i < len(p.taken) && p.taken[i].moment == moment; i++ {
		if p.taken[i].kind == nil {
			p.taken[i].kind = kind
			return
		}
	}
}

// rank returns how many acts there were before a moment.
func (p *places) rank(moment int) int {
	return p.forgotten + p.index(moment)
}

// regular reports whether two acts stand next to each other among those of their kinds, and these take turns around them.
// Where two of one kind follow each other, one of them has been overtaken, and which of them is the same
// as a swap of the two.
func (p *places) regular(a, b step) bool {
	if a.moment > b.moment {
		a, b = b, a
	}
	i, j := p.index(a.moment), p.index(b.moment)
	if a.moment == b.moment || j >= len(p.taken) || p.taken[i] != a || p.taken[j] != b || p.next(i, 1, a.kind, b.kind) != j {
		return false
	}
	return p.takeTurns(i, -1, a.kind, b.kind) && p.takeTurns(j, 1, a.kind, b.kind)
}

// takeTurns reports whether the acts of two kinds take turns from one on, forward or backward.
func (p *places) takeTurns(from, direction int, a, b *jobHabit) bool {
	for range turns {
		i := p.next(from, direction, a, b)
		if i < 0 {
			return true
		}
		if p.taken[i].kind == p.taken[from].kind || p.taken[i].moment == p.taken[from].moment {
			return false
		}
		from = i
	}
	return true
}

// next returns the index of the next act of two kinds, negative where there is none near.
func (p *places) next(from, direction int, a, b *jobHabit) int {
	for i := from + direction; i >= 0 && i < len(p.taken) && max(i-from, from-i) <= maxDistance; i += direction {
		if k := p.taken[i].kind; k == a || k == b {
			return i
		}
	}
	return -1
}

// woke takes a wake-up by a futex. What is no lock's ends a job, as who waits for its result is woken, or begins one; by
// a queue's lock a worker takes one.
func (p *places) woke(waker, woken *worker, f *futex, at int64) {
	now, job := instant{p.moment(), at}, f.isQueue() || !f.isLock()
	if len(waker.reading) == 0 {
		waker.released.releases(now)
		if job {
			waker.took = now
		}
	}
	if len(woken.reading) == 0 && job {
		woken.took = now
	}
}

// released are the moments at which a task has given locks up since it has read an answer: the last one, and the second,
// which is the first where there was one only.
type released struct {
	last, second instant
	count        int
}

func (r *released) releases(now instant) {
	if now.at-r.last.at > together {
		if r.count++; r.count <= 2 {
			r.second = now
		}
	}
	r.last = now
}

// unmark forgets the moments of a job that is done.
func (w *worker) unmark() { w.took, w.released = instant{}, released{} }

// mark says what a place is told by.
type mark uint8

const (
	// markAct: the act itself, markLock: the last wake-up by its task, by an interpreter's lock or another one, markStale: the
	// same long before, markJob: one that is next to the taking of the job.
	markAct mark = iota
	markStale
	markLock
	markJob

	marks // is how many there are
)

// place returns the moment at which the worker took the job of the act that it does now, as far as it is known. Who connects
// has looked a name up and made a socket since, and closed the connection of the job before: it took this one next
// to the second time it gave a lock up.
func (p *places) place(w *worker, connects bool, at int64) (moment int, by mark) {
	switch {
	case w != nil && w.took.moment != 0:
		return w.took.moment, markJob
	case w == nil || w.released.count == 0:
		return p.moment(), markAct
	}
	told := w.released.last
	if connects {
		told = w.released.second
	}
	if at-told.at > staleAfter {
		return told.moment, markStale
	}
	return told.moment, markLock
}
