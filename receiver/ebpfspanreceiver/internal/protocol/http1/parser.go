package http1

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/propagation"
)

// parser follows one connection.
type parser struct {
	protocol *Protocol
	conn     *conn.Conn
	sink     protocol.Sink
	// side is known once sided is true.
	side  protocol.Side
	sided bool

	streams [2]stream
	queue   queue
	// missed says that requests may be unanswered that are not in the queue, so
	// that a response to none is no mistake of the peer. It is true at first.
	missed bool
	ended  [2]bool
	// peerLeft says that the peer ended its stream in good order.
	peerLeft bool
	// pipelined says that a request did not begin with a turn of its own.
	pipelined bool

	// peer is the other end's address, empty while it is not known.
	peer string
	// contexts is room for the fields of a head that is being read.
	contexts contextFields
}

// Segment implements protocol.Parser.
func (p *parser) Segment(s *conn.Segment) {
	if s.Size > 0 {
		p.streams[s.Direction].segment(s)
	}
}

// decideSide notes that a request, or else a response, was seen in direction d.
func (p *parser) decideSide(d conn.Direction, request bool) {
	p.sided = true
	if request == (d == conn.Sent) {
		p.side = protocol.Client
	} else {
		p.side = protocol.Server
	}
}

func (p *parser) requests() *stream  { return &p.streams[p.side.RequestDirection()] }
func (p *parser) responses() *stream { return &p.streams[p.side.RequestDirection().Opposite()] }

func (p *parser) lose(r loss.Reason) { p.protocol.losses.Add(r, 1) }

func (p *parser) emit(e *exchange, phase protocol.Phase) { p.sink.Exchange(&e.Exchange, phase) }

// requestBegins follows a request's first line.
func (p *parser) requestBegins(st *stream, line requestLine) {
	st.head.started, st.head.tentative = true, false
	p.missed = false
	p.settle()
	asked, connected := p.takeOrigins()
	if p.queue.full() {
		p.lose(loss.PipelineFull)
		p.queue.drop()
		return
	}
	e := p.newExchange()
	e.afterGap = st.head.afterGap
	e.Conn, e.Side, e.Place = p.conn, p.side, st.head.place
	e.Asked, e.Connected = asked, connected
	e.Request.First = st.head.first
	e.Request.Move(0, protocol.NotBefore(st.at, st.head.first.Time))
	e.Thin(p.protocol.options.Thinner, p.regular(st))
	if e.Thinning.Out {
		e.describeMethod(line.method) // framing needs it
	} else {
		e.Details = e
		p.describeLine(e, line)
	}
	p.queue.push(e)
	st.exchange = e
	p.emit(e, protocol.RequestBegan)
}

// takeOrigins takes what the connection holds for the next request.
func (p *parser) takeOrigins() (asked, connected *conn.Origin) {
	asked, connected = p.conn.Asked, p.conn.Connected
	p.conn.Asked, p.conn.Connected = nil, nil
	return asked, connected
}

// requestMissed notes that a request was sent of which nothing is known.
func (p *parser) requestMissed() {
	p.takeOrigins()
	p.missed = true
}

// requestHead follows a request's whole head.
func (p *parser) requestHead(st *stream, h *headers) {
	e := st.exchange
	p.headRead(st, h)
	st.bodyBegins(h.ofRequest(), h.length)
	p.requestRead(e)
	if e != nil && e.method == "CONNECT" {
		// What comes before the answer may be another protocol already.
		st.resync()
	}
}

// requestCut follows the part of a request's head that was captured.
func (p *parser) requestCut(st *stream, why loss.Reason) {
	all := st.head.buf
	line, rest, _ := firstLine(all)
	if !st.head.started && classifyRequest(all) == protocol.Yes {
		p.requestBegins(st, cutRequestLine(line))
	}
	if !st.head.started {
		p.requestUnseen(st)
		return
	}
	p.lose(why)
	h, _ := readFields(rest, st.contexts())
	p.headRead(st, &h)
	st.state = opaque
	p.requestRead(st.exchange)
}

// requestUnseen follows a head of which too little was captured to know anything.
func (p *parser) requestUnseen(st *stream) {
	if st.head.begun() || !st.head.tentative {
		p.lose(loss.StreamGap)
	}
	p.requestMissed()
	st.resync()
}

// headRead makes use of a request's fields.
func (p *parser) headRead(st *stream, h *headers) {
	e := st.exchange
	if st.message() == nil {
		return
	}
	st.move(0)
	if e.Thinning.Out {
		return
	}
	p.describeRequest(e, h)
	if len(p.contexts) > 0 {
		e.Contexts = propagation.Extract(p.contexts)
		e.Marks = propagation.Marks(e.Contexts, p.contexts)
	}
}

// requestRead tells of a request's head, unless the answer was faster.
func (p *parser) requestRead(e *exchange) {
	if e != nil && !e.responded && !e.ended {
		p.emit(e, protocol.RequestRead)
	}
}

// responseBegins follows the beginning of a response, up to its status.
func (p *parser) responseBegins(st *stream, status int) {
	if st.head.afterGap {
		p.skipUnanswered()
	}
	st.head.started, st.head.tentative, st.head.afterGap = true, false, false
	st.head.interim = status/100 == 1 && status != 101
	if st.head.interim {
		return
	}
	e, waiting := p.queue.front()
	switch {
	case !waiting:
		if !p.missed {
			p.lose(loss.MalformedMessage)
		}
		st.resync()
	case e == nil:
		st.dropped = true
	default:
		e.status = status
		p.respond(st, e)
	}
}

// respond notes that the response to e begins in st.
func (p *parser) respond(st *stream, e *exchange) {
	st.exchange = e
	e.responded = true
	e.Response.First = protocol.NotBefore(st.head.first, e.Request.First.Time)
	e.Response.Move(0, protocol.NotBefore(st.at, e.Response.First.Time))
	if r := p.requests(); r.exchange == e && (r.state == opaque || r.state == lostChunks) {
		r.resync()
	}
	p.emit(e, protocol.ResponseBegan)
}

// responseHead follows a response's whole head.
func (p *parser) responseHead(st *stream, h *headers) {
	st.move(0)
	st.bodyBegins(st.framing(h), h.length)
}

// framing returns the framing of the response in st with the fields h.
func (st *stream) framing(h *headers) framing {
	if st.exchange == nil {
		return h.ofResponse("", 0)
	}
	return h.ofResponse(st.exchange.method, st.exchange.status)
}

// responseCut follows the part of a response's head that was captured.
func (p *parser) responseCut(st *stream, why loss.Reason) {
	switch {
	case st.head.interim:
		st.resync()
		return
	case !st.head.started:
		if p.responseUnseen(st) {
			p.lose(why)
		} else {
			st.resync()
		}
		return
	}
	p.lose(why)
	_, rest, _ := firstLine(st.head.buf)
	h, _ := readFields(rest, nil)
	switch st.framing(&h) {
	case notHTTP:
		p.tunnelBegins(st)
	case byChunks:
		st.loseChunks()
	default:
		st.state = opaque
	}
}

// responseUnseen follows the beginning of a response of which nothing is known.
// It returns false where no request waits for one.
func (p *parser) responseUnseen(st *stream) bool {
	e, waiting := p.queue.front()
	if !waiting {
		return false
	}
	if !st.head.begun() {
		st.head.first = st.at
	}
	st.state, st.dropped = opaque, e == nil
	if e != nil {
		p.respond(st, e)
	}
	return true
}

// tunnelBegins follows the response that makes the connection another protocol's.
func (p *parser) tunnelBegins(st *stream) {
	st.messageEnds()
	for d := range p.streams {
		p.streams[d].resync()
		p.streams[d].state = tunnel
	}
}
