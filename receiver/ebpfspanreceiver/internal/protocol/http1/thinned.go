package http1

// regular reports whether the kernel side can tell the requests of the connection
// apart, now that another one begins in st: each has come in a turn of its own. A
// connection's first request says nothing of that.
func (p *parser) regular(st *stream) bool {
	if len(p.queue.open) > 0 || st.head.place != st.turned {
		p.pipelined = true
	}
	return !p.pipelined && st.head.place > 0
}
