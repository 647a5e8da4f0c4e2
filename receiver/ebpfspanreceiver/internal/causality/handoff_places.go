package causality

import "slices"

const (
	// maxPlaces bounds one generation of the acts whose places are remembered.
	maxPlaces = 8192
	// together is how far apart, in nanoseconds, wake-ups are at most by which a task gives up one lock.
	together = int64(20e3)
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
	taken            []int
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
	i, _ := slices.BinarySearch(p.taken, moment)
	p.taken = slices.Insert(p.taken, i, moment)
}

// rank returns how many acts there were before a moment.
func (p *places) rank(moment int) int {
	i, _ := slices.BinarySearch(p.taken, moment)
	return p.forgotten + i
}

// woke takes a wake-up by a futex. What is no lock's ends a job, as who waits for its result is woken, or begins one; by
// a queue's lock a worker takes one.
func (p *places) woke(waker, woken *worker, f *futex, at int64) {
	now, job := p.moment(), f.isQueue() || !f.isLock()
	if len(waker.reading) == 0 {
		waker.released.releases(now, at)
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
	last, second, count int
	at                  int64
}

func (r *released) releases(now int, at int64) {
	if at-r.at > together {
		if r.count++; r.count <= 2 {
			r.second = now
		}
	}
	r.last, r.at = now, at
}

// unmark forgets the moments of a job that is done.
func (w *worker) unmark() { w.took, w.released = 0, released{} }

// mark says what a place is told by.
type mark uint8

const (
	// markAct: the act itself, markLock: the last wake-up by its task, by an interpreter's lock or another one,
	// markJob: one that is next to the taking of the job.
	markAct mark = iota
	markLock
	markJob

	marks // is how many there are
)

// place returns the moment at which the worker took the job of the act that it does now, as far as it is known. Who connects
// has looked a name up and made a socket since, and closed the connection of the job before: it took this one next
// to the second time it gave a lock up.
func (p *places) place(w *worker, connects bool) (moment int, by mark) {
	switch {
	case w != nil && w.took != 0:
		return w.took, markJob
	case w != nil && w.released.count > 0 && connects:
		return w.released.second, markLock
	case w != nil && w.released.count > 0:
		return w.released.last, markLock
	}
	return p.moment(), markAct
}
