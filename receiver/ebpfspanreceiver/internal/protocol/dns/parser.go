package dns

import (
	"slices"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// parser follows one connection, on which answers come in any order (RFC 7766, 6.2.1.1).
type parser struct {
	session
	streams  [2]stream
	ended    [2]bool
	peerLeft bool
}

// Segment implements protocol.Parser.
func (p *parser) Segment(s *conn.Segment) { p.streams[s.Direction].segment(s) }

// Tick implements protocol.Parser.
func (p *parser) Tick(int64) {}

// messageBegins takes a message of which b is there, with its question. It returns the
// exchange that it belongs to, nil where there is none.
func (p *parser) messageBegins(st *stream, m *message) *exchange {
	if m.Response {
		side := protocol.Client
		if st.direction == conn.Sent {
			side = protocol.Server
		}
		e := p.find(side, m)
		if e != nil && !e.responded {
			p.respond(e, st.first)
		}
		return e
	}
	if len(p.open) > 0 {
		p.conn.Shared = true
	}
	e := &exchange{}
	e.Side = protocol.Client
	if st.direction == conn.Received {
		e.Side = protocol.Server
	}
	e.Place = st.place
	return p.begin(m, e, st.first)
}

// messageEnds takes a message's last byte. A zone's transfer is answered with many messages, of which
// the first one counts.
func (p *parser) messageEnds(st *stream, e *exchange, m *message, at conn.Origin) {
	switch {
	case e == nil || e.ended:
	case !m.Response:
		e.Request.Size = int64(st.size)
		p.read(e, at)
	default:
		e.describe(m, st.kept)
		e.Response.Complete, e.Response.Size = true, int64(st.size)
		e.Response.Last = protocol.NotBefore(at, e.Response.First.Time)
		p.finish(e, e.Response.Last)
	}
}

// lost ends what waits where messages were missed in one direction: its answers may be among them.
func (p *parser) lost(why loss.Reason) {
	p.lose(why)
	for _, e := range slices.Clone(p.open) {
		p.finish(e, protocol.NotBefore(e.Request.Last, e.Response.Last.Time))
	}
}

// End implements protocol.Parser.
func (p *parser) End(d conn.Direction, cause conn.Cause, at conn.Origin) {
	p.ended[d] = true
	p.peerLeft = p.peerLeft || cause == conn.EOF && d == conn.Received
	for _, e := range slices.Clone(p.open) {
		// A query may be answered after the end of the stream that carries it.
		if cause == conn.EOF && d == e.Side.RequestDirection() && !p.ended[d.Opposite()] {
			continue
		}
		e.BreakOff(cause, p.peerLeft, e.responded)
		p.finish(e, at)
	}
}
