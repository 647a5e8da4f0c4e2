package causality

import (
	"slices"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
)

const (
	// lockShare is the share of wake-ups by who was woken by the same futex from which on it is
	// a lock's. Measured, it is 0.5 to 1 for locks and queues, 0 to 0.05 for hand-offs.
	lockShare = 0.25
	// lockEvidence is how many such wake-ups it takes.
	lockEvidence = 2
	// queueShare is the share of wake-ups of who has a request up to which a futex may be a queue's, and
	// queueEvidence how many it takes to tell. An interpreter's lock wakes whoever works.
	queueShare, queueEvidence = 0.02, 8
	// ownEvidence is how many wake-ups of the same thread it takes for a futex to be that one's.
	ownEvidence = 8
	// maxFutexes bounds one generation of the futexes that are remembered, maxWoken the threads
	// that are remembered for one, and maxWakes the memory of its wake-ups.
	maxFutexes, maxWoken, maxWakes = 4096, 32, 1024
)

// locks tells the futexes of locks from those of hand-offs. Who was woken by a lock holds it
// next, and wakes by it who comes after; who was woken by a hand-off wakes nobody by it. A
// queue is like a lock where each worker that takes from it wakes the next.
type locks struct {
	// seen are the futexes, in two generations: the older one is dropped when the younger is
	// full.
	seen, older map[uint64]*futex
}

type futex struct {
	// wakes counts wake-ups, byWoken those by a thread that was woken by it before, serving those of
	// threads that have a request.
	wakes, byWoken, serving int
	// woken are the last threads that were, next is where the next one goes.
	woken []uint32
	next  int
}

func (l *locks) futex(address uint64) *futex {
	if f := l.seen[address]; f != nil {
		return f
	}
	f := l.older[address]
	if f == nil {
		f = &futex{}
	}
	if l.seen == nil || len(l.seen) >= maxFutexes {
		l.older, l.seen = l.seen, make(map[uint64]*futex)
	}
	l.seen[address] = f
	return f
}

// woke takes a wake-up and returns its futex, nil where it is by none. Whether who is woken has a request is told.
func (l *locks) woke(w conn.Wake, serving bool) *futex {
	if w.Futex == 0 {
		return nil
	}
	f := l.futex(w.Futex)
	f.woke(w.Waker.Task.TID, w.Woken.TID)
	if serving {
		f.serving++
	}
	return f
}

// isLock reports whether it hands over a lock.
func (f *futex) isLock() bool {
	return f.byWoken >= lockEvidence && float64(f.byWoken) > lockShare*float64(f.wakes)
}

// isOwn reports whether it is one thread's, by which others wake it.
func (f *futex) isOwn() bool { return len(f.woken) == 1 && f.wakes >= ownEvidence && f.byWoken == 0 }

// orNewer returns the one of two of which less is known; each may be nil.
func (f *futex) orNewer(o *futex) *futex {
	if f == nil || o != nil && o.wakes < f.wakes {
		return o
	}
	return f
}

// isQueue reports whether it is the lock of a queue, which only those wait for who work for others.
func (f *futex) isQueue() bool {
	return f.wakes >= queueEvidence && float64(f.serving) <= queueShare*float64(f.wakes)
}

func (f *futex) woke(waker, woken uint32) {
	if f.wakes >= maxWakes {
		f.wakes, f.byWoken, f.serving = f.wakes/2, f.byWoken/2, f.serving/2
	}
	f.wakes++
	if slices.Contains(f.woken, waker) {
		f.byWoken++
	}
	if slices.Contains(f.woken, woken) {
		return
	}
	if len(f.woken) < maxWoken {
		f.woken = append(f.woken, woken)
		return
	}
	f.woken[f.next] = woken
	f.next = (f.next + 1) % maxWoken
}
