package causality

// Requests of a process that never calls are needed for a moment only, and they are most of what a busy server
// leaves to the garbage collector. So those that nothing refers to any more are used again, together with their
// exchanges. As soon as a process calls, too much refers to its requests: calls, and what was learned of them.

// maxSpares bounds the requests that are kept for use again.
const maxSpares = 256

// spares are requests to which nothing refers any more.
type spares []*request

// request returns a request of which nothing is known yet.
func (s *spares) request() *request {
	last := len(*s) - 1
	if last < 0 {
		return &request{}
	}
	r := (*s)[last]
	(*s)[last], *s = nil, (*s)[:last]
	*r = request{}
	return r
}

// take takes a request back, and has its exchange taken back as well.
func (s *spares) take(r *request) {
	e := r.exchange
	r.exchange = nil
	e.Forgotten()
	if len(*s) < maxSpares {
		*s = append(*s, r)
	}
}

// forgets reports whether nothing refers to r, which has ended and of which its thread knows no more: neither the
// rungs that remember what was answered, nor what the thread has read last.
func (p *process) forgets(r *request) bool {
	e := r.exchange
	if p.calls || e.Multiplexed || len(e.Marks) > 0 {
		return false
	}
	s := r.thread.reacts.last
	return s == nil || s.request != r && s.response != r
}
