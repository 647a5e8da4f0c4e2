package http1

import "github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"

// leftOut follows a gap in st that thinning made: whole exchanges are missing, and
// what was under way before them is over. In good order nothing was, or a response
// whose end cannot be seen. If a peer did not wait for a response, the kernel side
// took its end for that of a request that is left out: such exchanges are lost.
func (p *parser) leftOut(st *stream) {
	if !p.sided {
		st.resync()
		return
	}
	if st.isRequest() {
		p.settle()
		p.overtaken()
		p.unanswered(0)
	} else {
		p.overtaken()
	}
	p.missed = true
	st.expectHead(true)
}

// overtaken finishes the response that is being read with its last byte seen.
func (p *parser) overtaken() {
	st := p.responses()
	e := st.exchange
	if e == nil {
		return
	}
	p.lose(loss.StreamGap)
	p.finish(e, e.Response.Last)
	st.resync()
}

// regular reports whether the kernel side can tell the requests of the connection
// apart, now that another one begins in st: each has come in a turn of its own. A
// connection's first request says nothing of that.
func (p *parser) regular(st *stream) bool {
	if len(p.queue.open) > 0 || st.head.place != st.turned {
		p.pipelined = true
	}
	return !p.pipelined && st.head.place > 0
}
