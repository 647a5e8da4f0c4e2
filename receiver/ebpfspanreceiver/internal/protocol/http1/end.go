package http1

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// pause is how long a response whose end cannot be told must be silent to be
// taken for complete, in nanoseconds.
const pause = 1e9

// finish ends e, which is the first in the queue, at the given moment.
func (p *parser) finish(e *exchange, end conn.Origin) {
	p.queue.pop()
	e.End = protocol.NotBefore(end, max(e.Request.First.Time, e.Response.Last.Time))
	if !e.Thinning.Out {
		p.describeEnd(e)
	}
	e.ended, e.kept = true, p.refersTo(e)
	p.emit(e, protocol.Ended)
}

// settle finishes a response whose end could not be seen, now that the next
// request shows that it is over.
func (p *parser) settle() {
	st := p.responses()
	if st.endsUnseen() || st.state == lostChunks {
		p.finishUnseen(st)
	}
}

// endsUnseen tells whether st is in a message of which no sign will show the end.
func (st *stream) endsUnseen() bool {
	switch {
	case st.exchange == nil && !st.dropped:
		return false
	case st.state == opaque:
		return true
	}
	// A server may pass a file on without a system call that shows its bytes.
	return st.state == inBody && st.untouched && st.direction == conn.Sent
}

// finishUnseen finishes the response in st with its last byte seen. Where it is
// not known how far that response went, it may have hidden others.
func (p *parser) finishUnseen(st *stream) {
	e := st.exchange
	st.exchange = nil
	if e != nil {
		p.finish(e, e.Response.Last)
	}
	if st.state != inBody {
		st.resync()
		p.unanswered(0)
	}
}

// unanswered finishes the first requests in the queue, up to the last keep, as
// ones whose responses were not seen.
func (p *parser) unanswered(keep int) {
	for len(p.queue.open) > keep {
		p.queue.dropped = 0
		p.missed = true
		p.lose(loss.StreamGap)
		e := p.queue.open[0]
		p.finish(e, e.Request.Last)
	}
	p.queue.dropped = 0
}

// skipUnanswered follows a gap before a response. At least one response was
// missed, and perhaps requests: the response is the last request's if an earlier
// one can be meant by the gap, else nobody knows whose.
func (p *parser) skipUnanswered() {
	open := p.queue.open
	if n := len(open); n > 1 || n == 1 && open[0].afterGap {
		p.unanswered(1)
		return
	}
	p.unanswered(0)
	p.missed = true
}

// abandon gives up the message in st because another begins.
func (p *parser) abandon(st *stream) {
	if !st.isRequest() {
		p.settle()
	}
	st.resync()
}

// Tick implements protocol.Parser.
func (p *parser) Tick(now int64) {
	st := p.responses()
	if st.exchange != nil && st.endsUnseen() && now-st.exchange.Response.Last.Time >= pause {
		p.finishUnseen(st)
	}
}

// End implements protocol.Parser. The end of the stream that carries requests
// alone ends nothing: they may still be answered.
func (p *parser) End(d conn.Direction, cause conn.Cause, at conn.Origin) {
	p.ended[d] = true
	if cause == conn.EOF {
		p.peerLeft = p.peerLeft || d == conn.Received
		if d == p.side.RequestDirection() && !p.ended[d.Opposite()] {
			return
		}
	}
	p.finishResponse(cause, at)
	for len(p.queue.open) > 0 {
		p.queue.dropped = 0
		p.breakOff(p.queue.open[0], cause, at)
	}
	p.queue.dropped = 0
}

// finishResponse finishes the exchange whose response is being read, if there is one.
func (p *parser) finishResponse(cause conn.Cause, at conn.Origin) {
	st := p.responses()
	e := st.exchange
	if e == nil {
		return
	}
	switch {
	case st.state == untilClose && p.isOrderly(cause):
		e.Response.Complete = true
		p.finish(e, at)
	case cause != conn.Reset && (st.endsUnseen() || st.state == lostChunks && st.window.endsLines()):
		p.finish(e, e.Response.Last)
	default:
		p.breakOff(e, cause, at)
	}
	st.resync()
}

// isOrderly tells whether cause ends a response that has no other end.
func (p *parser) isOrderly(cause conn.Cause) bool {
	return cause == conn.EOF || cause == conn.Closed && p.side == protocol.Server
}

// breakOff finishes e as one that will not be answered, or not wholly.
func (p *parser) breakOff(e *exchange, cause conn.Cause, at conn.Origin) {
	e.BreakOff(cause, p.peerLeft, e.responded)
	p.finish(e, protocol.NotBefore(at, e.Request.Last.Time))
}
