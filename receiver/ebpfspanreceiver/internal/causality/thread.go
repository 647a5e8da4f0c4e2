package causality

import "slices"

// threadConfidence is that of the thread rung: a timer of the thread's own may
// still act while one request is open.
const threadConfidence = 0.99

// thread is the rung of the thread that reads a request and works on it. As soon
// as a thread has more than one open request it is an event loop.
type thread struct {
	// requests are the open ones that this thread read.
	requests []*request
	loop     loop
}

func (t *thread) opened(r *request) {
	t.requests = append(t.requests, r)
	t.loop.ready(&token{request: r})
}

func (t *thread) closed(r *request) {
	t.requests = slices.DeleteFunc(t.requests, func(o *request) bool { return o == r })
	t.loop.forget(r)
}

// decide settles the act where only one request can have caused it, and asks the
// loop otherwise.
func (t *thread) decide(a *act, forwardConfidence float64) {
	open := t.working()
	switch len(open) {
	case 0:
		a.settle(nil, "", 0)
	case 1:
		t.loop.take(open[0])
		a.settle(open[0], MethodThread, threadConfidence)
	default:
		a.candidates = slices.Clone(open)
		t.loop.forward(a, forwardConfidence)
	}
}

// working returns the requests whose response was not begun; where there are none,
// those that are streaming it.
func (t *thread) working() []*request {
	var open []*request
	for _, r := range t.requests {
		if !r.responding {
			open = append(open, r)
		}
	}
	if len(open) == 0 {
		return t.requests
	}
	return open
}
