package http2

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

const (
	// maxOpen is how many streams may be open on one connection.
	maxOpen = 4096
	// pause is how long nothing must be seen of a response of which some may have been missed
	// for it to be given up, in nanoseconds.
	pause = 10e9
)

// parser follows one connection.
type parser struct {
	protocol *Protocol
	conn     *conn.Conn
	sink     protocol.Sink
	ends     protocol.Ends
	// side is known once sided is true.
	side  protocol.Side
	sided bool
	// classified says that the first segment was seen, fresh that the connection's first
	// bytes were.
	classified, fresh bool
	readers           [2]reader
	// open are the streams that clients opened, last is the highest of their ids.
	open map[uint32]*exchange
	last uint32
	// missed says that streams may be open that are not among these.
	missed bool
	// doubtful says that an open stream may be doubted.
	doubtful bool
	// asked are who asked for streams that are still to be opened.
	asked map[uint32]conn.Origin
	ended [2]bool
	// peerLeft says that the peer ended its stream in good order.
	peerLeft bool
}

var _ protocol.Multiplexed = (*parser)(nil)

// Segment implements protocol.Parser.
func (p *parser) Segment(s *conn.Segment) {
	if s.Size == 0 {
		return
	}
	if !p.classified {
		// Frames of other streams may hide in each turn.
		p.protocol.options.Thinner.Whole(p.conn.Socket)
		p.missed = true
	}
	p.readers[s.Direction].segment(s)
}

// begins follows the first byte of the client's preface.
func (p *parser) begins(d conn.Direction) {
	p.fresh, p.missed = true, false
	p.decideSide(d, true)
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

func (p *parser) isRequests(r *reader) bool {
	return p.sided && r.direction == p.side.RequestDirection()
}

func (p *parser) lose(r loss.Reason) { p.protocol.losses.Add(r, 1) }

func (p *parser) emit(e *exchange, phase protocol.Phase) { p.sink.Exchange(&e.Exchange, phase) }

// headers follows the last byte of a block of fields.
func (p *parser) headers(r *reader, h *headers) {
	f, first := r.block.begins, r.block.first
	if !p.sided {
		switch {
		case h.request:
			p.decideSide(r.direction, true)
		case h.response:
			p.decideSide(r.direction, false)
		default:
			p.lose(loss.StreamGap)
			return
		}
	}
	if p.isRequests(r) {
		p.request(r, f, first, h)
	} else {
		p.response(r, f, first, h)
	}
}

// request follows the fields that open a stream, or the trailers of its request.
func (p *parser) request(r *reader, f frame, first conn.Origin, h *headers) {
	e := p.open[f.stream]
	if e == nil {
		if f.stream <= p.last || f.stream%2 == 0 {
			return // it was answered before the request was complete
		}
		if e = p.begin(r, f, first, h); e == nil {
			return
		}
	} else {
		e.Request.Move(0, r.at)
	}
	if f.has(flagEndStream) {
		e.Request.Complete = true
	}
}

// begin opens a stream.
func (p *parser) begin(r *reader, f frame, first conn.Origin, h *headers) *exchange {
	asked := p.takeOrigins(f.stream)
	p.last = f.stream
	if len(p.open) >= maxOpen {
		p.lose(loss.PipelineFull)
		p.missed = true
		return nil
	}
	if len(p.open) > 0 {
		p.conn.Shared = true
	}
	e := &exchange{stream: f.stream}
	e.Conn, e.Side, e.Place, e.Asked, e.Connected = p.conn, p.side, uint64(f.stream), asked, p.conn.Connected
	p.conn.Asked, p.conn.Connected = nil, nil
	e.Multiplexed = true
	e.Request.First = first
	e.Request.Move(0, protocol.NotBefore(r.at, first.Time))
	// The kernel side cannot tell the streams apart: it leaves none out.
	e.Thin(p.protocol.options.Thinner, false)
	if p.readers[r.direction.Opposite()].part == adrift {
		e.doubted, p.doubtful = r.at.Time, true
	}
	e.describe(h, p.protocol.options.Query)
	if !e.Thinning.Out {
		e.Details = e
	} else {
		e.Contexts = nil
	}
	if p.open == nil {
		p.open = make(map[uint32]*exchange)
	}
	p.open[f.stream] = e
	p.emit(e, protocol.RequestBegan)
	p.emit(e, protocol.RequestRead)
	return e
}

// takeOrigins returns who asked for a stream, nil where that is not known.
func (p *parser) takeOrigins(stream uint32) *conn.Origin {
	asked, ok := p.asked[stream]
	if !ok {
		return nil
	}
	delete(p.asked, stream)
	return &asked
}

// response follows the fields of a response or of its trailers.
func (p *parser) response(r *reader, f frame, first conn.Origin, h *headers) {
	e := p.open[f.stream]
	if e == nil {
		if f.stream%2 == 1 && f.stream > p.last && !p.missed {
			p.lose(loss.MalformedMessage)
		}
		return
	}
	interim := len(h.status) == 3 && h.status[0] == '1' && !f.has(flagEndStream)
	if interim {
		return
	}
	e.doubted = 0
	e.describeResponse(h)
	p.respond(e, first)
	e.Response.Move(0, protocol.NotBefore(r.at, e.Response.First.Time))
	if f.has(flagEndStream) {
		p.complete(e)
	}
}

// respond notes that the response to e began.
func (p *parser) respond(e *exchange, first conn.Origin) {
	if e.responded {
		return
	}
	e.responded = true
	e.Response.First = protocol.NotBefore(first, e.Request.First.Time)
	e.Response.Move(0, e.Response.First)
	p.emit(e, protocol.ResponseBegan)
}

// dataBegins follows the header of a DATA frame.
func (p *parser) dataBegins(r *reader) {
	e := p.open[r.frame.stream]
	if e != nil && p.sided && !p.isRequests(r) {
		// The response's fields were missed where it has not begun.
		p.respond(e, r.first)
	}
}

// data follows n bytes of a DATA frame.
func (p *parser) data(r *reader, n uint64) {
	e := p.open[r.frame.stream]
	switch {
	case e == nil:
	case p.isRequests(r):
		e.Request.Move(n, r.at)
	default:
		e.doubted = 0
		e.Response.Move(n, r.at)
	}
}

// dataEnds follows the last byte of a DATA frame.
func (p *parser) dataEnds(r *reader) {
	e := p.open[r.frame.stream]
	if e != nil && e.mayBeCall && r.frame.isMessage(r.payload) {
		e.isCall()
	}
	switch {
	case e == nil || !r.frame.has(flagEndStream):
	case p.isRequests(r):
		e.Request.Complete = true
		e.Request.Move(0, r.at)
		if e.Side == protocol.Server && !e.responded {
			p.emit(e, protocol.RequestWhole)
		}
	default:
		e.Response.Move(0, r.at)
		p.complete(e)
	}
}

// complete ends e with its response.
func (p *parser) complete(e *exchange) {
	e.Response.Complete = true
	p.finish(e, e.Response.Last)
}

// finish ends e.
func (p *parser) finish(e *exchange, end conn.Origin) {
	delete(p.open, e.stream)
	e.End = protocol.NotBefore(end, max(e.Request.First.Time, e.Response.Last.Time))
	e.conclude(&p.ends)
	p.emit(e, protocol.Ended)
}

// reset follows RST_STREAM.
func (p *parser) reset(r *reader, stream uint32, payload []byte) {
	e := p.open[stream]
	if e == nil || len(payload) < 4 || !p.sided {
		return
	}
	p.abort(e, binary.BigEndian.Uint32(payload), p.isRequests(r), r.at)
}

// abort ends e as a stream that was reset with a code, by its client or its server.
func (p *parser) abort(e *exchange, code uint32, byClient bool, at conn.Origin) {
	if e.grpc && e.grpcStatus == "" {
		e.grpcStatus = resetStatus(code)
	}
	switch {
	case e.grpc:
	case byClient && p.side == protocol.Server:
		e.ErrorType, e.Failed = protocol.ClientDisconnected, true
		e.ErrorMessage = "the client reset the stream: " + codeName(code)
	case code != codeNone:
		e.ErrorType, e.Failed = codeName(code), true
		e.ErrorMessage = "the stream was reset"
	}
	p.finish(e, protocol.NotBefore(at, e.Request.Last.Time))
}

// goAway follows GOAWAY: what came after the stream that it names is not answered.
func (p *parser) goAway(r *reader, payload []byte) {
	if len(payload) < 8 || !p.sided || p.isRequests(r) {
		return
	}
	last := binary.BigEndian.Uint32(payload) &^ (1 << 31)
	for _, stream := range p.streams() {
		if stream > last {
			p.abort(p.open[stream], codeRefused, false, r.at)
		}
	}
}

// streams are the ids of the open streams, in their order.
func (p *parser) streams() []uint32 { return slices.Sorted(maps.Keys(p.open)) }

// drifts follows the loss of the frames' beginnings in one direction.
func (p *parser) drifts(r *reader) {
	p.missed = true
	if p.isRequests(r) {
		return
	}
	for _, e := range p.open {
		e.doubted, p.doubtful = r.at.Time, true
	}
}

// Tick implements protocol.Parser.
func (p *parser) Tick(now int64) {
	if !p.doubtful {
		return
	}
	p.doubtful = false
	for _, stream := range p.streams() {
		e := p.open[stream]
		if e.doubted == 0 || now-e.doubted < pause {
			p.doubtful = p.doubtful || e.doubted != 0
			continue
		}
		p.finishUnseen(e)
	}
}

// finishUnseen ends e, of whose response some was missed, with what is known of it.
func (p *parser) finishUnseen(e *exchange) {
	p.lose(loss.StreamGap)
	end := e.Request.Last
	if e.responded {
		end = e.Response.Last
	}
	p.finish(e, end)
}

// End implements protocol.Parser. The end of the direction that carries requests alone ends
// nothing: they may still be answered.
func (p *parser) End(d conn.Direction, cause conn.Cause, at conn.Origin) {
	p.ended[d] = true
	if cause == conn.EOF {
		p.peerLeft = p.peerLeft || d == conn.Received
		if d == p.side.RequestDirection() && !p.ended[d.Opposite()] {
			return
		}
	}
	for _, stream := range p.streams() {
		e := p.open[stream]
		if e.doubted != 0 {
			p.finishUnseen(e) // it may have been answered
			continue
		}
		e.BreakOff(cause, p.peerLeft, e.responded)
		p.finish(e, protocol.NotBefore(at, e.Request.Last.Time))
	}
}

// Asked implements protocol.Multiplexed. The first is who asked: gRPC's writer asks the same
// function before it writes.
func (p *parser) Asked(stream uint32, by conn.Origin) {
	if p.sided && p.side == protocol.Server || stream <= p.last {
		return
	}
	if p.asked == nil || len(p.asked) >= maxOpen {
		p.asked = make(map[uint32]conn.Origin)
	}
	if _, known := p.asked[stream]; !known {
		p.asked[stream] = by
	}
}

// Taken implements protocol.Multiplexed.
func (p *parser) Taken(stream uint32, by conn.Origin) {
	e := p.open[stream]
	if e == nil || e.Side != protocol.Server || e.responded || e.Taken != nil {
		return
	}
	e.Taken = &by
	p.emit(e, protocol.RequestTaken)
}
