package causality

// token makes a request runnable: its head was read, or a call's response was
// read.
type token struct {
	// request is set for a request's head, call for a call's response.
	request *request
	call    *call
	// complete is false for the beginning of a response that goes on.
	complete bool
	// turn is the loop's turn in which the token became ready, step the thread's step.
	turn int
	step uint64
	kind int
	// number counts the loop's tokens, from 0, read the reads that gave some.
	number, read uint64
	// acted is how probable it is that it was acted on, and back whose the deeds are
	// that rest on it.
	acted float64
	back  hindsight
	// queued is the part of acted that is due to calls in queues.
	queued float64
	// decoded says that it was in a window that was decoded: before, it is not known what rests on it.
	decoded bool
	// ended is the step at which it was found that all requests whose it may be have been answered, 0 before.
	ended uint64
}

// over reports whether all requests whose the token may be had been answered at a step: nothing that is done later
// rests on it. now is the step of what was seen last.
func (t *token) over(at, now uint64) bool {
	r := t.request
	if t.call != nil && t.call.decided {
		r = t.call.parent
	}
	switch {
	case r != nil:
		return r.done != 0 && r.done <= at
	case t.call.open():
		return false
	case t.ended == 0:
		t.ended = now
	}
	return t.ended <= at
}

// sort is 0 for a request's head and 1 for a call's response.
func (t *token) sort() int {
	if t.request != nil {
		return 0
	}
	return 1
}
