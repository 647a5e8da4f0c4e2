package database

// MaxOpen is how many requests may wait for their answers on one connection. Many tasks
// may share it.
const MaxOpen = 1024

// Crowded is how many unanswered requests show that a turn may hold more than is
// captured of one.
const Crowded = 4

// Queue holds what waits for an answer, in the order of asking. Where there is no room
// the rest is only counted, until it was answered.
type Queue[T any] struct {
	open []T
	// usual is room for the one request that most connections have open.
	usual [1]T
	// uncounted requests come after those in open.
	overflow int
}

// Push appends v, and reports whether there was room for it.
func (q *Queue[T]) Push(v T) bool {
	if q.Full() {
		q.overflow++
		return false
	}
	if q.open == nil {
		q.open = q.usual[:0]
	}
	q.open = append(q.open, v)
	return true
}

// Full reports whether the next one would find no room.
func (q *Queue[T]) Full() bool { return q.overflow > 0 || len(q.open) >= MaxOpen }

// Len is the number of those that wait, whether they found room or not.
func (q *Queue[T]) Len() int { return len(q.open) + q.overflow }

// Front returns the first one. Waiting is false where nobody waits, and found where
// the first one found no room.
func (q *Queue[T]) Front() (v T, found, waiting bool) {
	if len(q.open) > 0 {
		return q.open[0], true, true
	}
	return v, false, q.overflow > 0
}

// Last returns the last one that found room.
func (q *Queue[T]) Last() (v T, found bool) {
	if n := len(q.open); n > 0 && q.overflow == 0 {
		return q.open[n-1], true
	}
	return v, false
}

// Pop removes what Front returned.
func (q *Queue[T]) Pop() {
	if len(q.open) == 0 {
		q.overflow = max(0, q.overflow-1)
		return
	}
	var none T
	q.open[0] = none
	q.open = q.open[1:]
	if len(q.open) == 0 {
		q.open = q.usual[:0]
	}
}

// Skip removes the first one if it found no room.
func (q *Queue[T]) Skip() {
	if len(q.open) == 0 {
		q.Pop()
	}
}

// Take empties the queue, and returns what had found room.
func (q *Queue[T]) Take() []T {
	open := append([]T(nil), q.open...)
	clear(q.open)
	q.open, q.overflow = q.usual[:0], 0
	return open
}

// All returns those that found room, first to last. It is valid until the queue changes.
func (q *Queue[T]) All() []T { return q.open }

// Drop removes the one that was pushed last.
func (q *Queue[T]) Drop() {
	if q.overflow > 0 {
		q.overflow--
		return
	}
	if n := len(q.open); n > 0 {
		q.open = q.open[:n-1]
	}
}
