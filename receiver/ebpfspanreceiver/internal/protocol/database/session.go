package database

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/thin"
)

// Session takes the exchanges of one connection through their phases.
type Session struct {
	Conn   *conn.Conn
	Side   protocol.Side
	Sink   protocol.Sink
	Losses *loss.Counts
	// Thinner decides which requests are left out; nil keeps all.
	Thinner *thin.Thinner
	// Reporter hears that the connection cannot be read; nil tells nobody.
	Reporter Reporter

	ends protocol.Ends
	// whole says that all of the connection's bytes were asked for.
	whole bool
	// ended says which directions ended.
	ended [2]bool
	// peerLeft says that the peer ended its stream in good order.
	peerLeft bool
}

// Lose counts a loss.
func (s *Session) Lose(r loss.Reason) { s.Losses.Add(r, 1) }

// Whole asks the kernel side for all bytes, where many requests come in one turn.
func (s *Session) Whole() {
	if !s.whole {
		s.whole = true
		s.Thinner.Whole(s.Conn.Socket)
	}
}

// Begin begins e at the place of its request's first byte, which first moved. Its
// name and what it tells must be set. What it tells may be added to up to its end.
func (s *Session) Begin(e *Exchange, place uint64, first conn.Origin) {
	e.Conn, e.Side, e.Place = s.Conn, s.Side, place
	e.Asked, e.Connected = s.Conn.Asked, s.Conn.Connected
	s.Conn.Asked, s.Conn.Connected = nil, nil
	e.Request.First, e.Request.Last = first, first
	// The kernel side knows no requests of databases: it leaves none out.
	e.Thin(s.Thinner, false)
	if !e.Thinning.Out {
		e.Details = e
	}
	s.Sink.Exchange(&e.Exchange, protocol.RequestBegan)
}

// Read says that the request is there as far as its end can be told.
func (s *Session) Read(e *Exchange) {
	if e.read || e.responded || e.ended {
		return
	}
	e.read = true
	s.Sink.Exchange(&e.Exchange, protocol.RequestRead)
}

// Respond notes that n bytes of the answer were moved.
func (s *Session) Respond(e *Exchange, n uint64, at conn.Origin) {
	if e.ended {
		return
	}
	if e.responded {
		e.Response.Move(n, at)
		return
	}
	s.Read(e)
	e.responded = true
	e.Response.First = protocol.NotBefore(at, e.Request.First.Time)
	e.Response.Move(n, e.Response.First)
	s.Sink.Exchange(&e.Exchange, protocol.ResponseBegan)
}

// Finish ends e. Its answer, where there is one, ends with the last byte that was noted.
func (s *Session) Finish(e *Exchange, end conn.Origin) {
	if e.ended {
		return
	}
	e.End = protocol.NotBefore(end, max(e.Request.First.Time, e.Response.Last.Time))
	if !e.Thinning.Out {
		e.server, e.peer = s.ends.Of(s.Conn, s.Side)
	}
	e.ended = true
	s.Sink.Exchange(&e.Exchange, protocol.Ended)
}

// Lost ends e as one whose answer was not seen, or not to its end.
func (s *Session) Lost(e *Exchange, why loss.Reason) {
	s.Lose(why)
	end := e.Request.Last
	if e.responded {
		end = e.Response.Last
	}
	s.Finish(e, end)
}

// BreakOff ends e as one that will not be answered, or not wholly.
func (s *Session) BreakOff(e *Exchange, cause conn.Cause, at conn.Origin) {
	if e.ended {
		return
	}
	e.BreakOff(cause, s.peerLeft, e.responded)
	s.Finish(e, protocol.NotBefore(at, e.Request.Last.Time))
}

// Ends notes the end of a direction, and reports whether nothing will be answered any
// more: requests may still be answered after the end of the stream that carries them.
func (s *Session) Ends(d conn.Direction, cause conn.Cause) bool {
	s.ended[d] = true
	if cause != conn.EOF {
		return true
	}
	s.peerLeft = s.peerLeft || d == conn.Received
	return d != s.Side.RequestDirection() || s.ended[d.Opposite()]
}
