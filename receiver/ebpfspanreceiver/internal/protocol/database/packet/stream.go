// Package packet follows the directions of a connection whose messages are packets that begin with
// their length, of which only some bytes were captured: PostgreSQL's and MySQL's protocols are such.
package packet

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database"
)

const (
	// MaxBody is how many bytes of a message's body are kept: a statement's beginning.
	MaxBody = 2100
	// tailSize is how many of a stream's last bytes are remembered, as many as conn.Segment has
	// of what was not captured.
	tailSize = 8
)

// Header is what a packet's header says.
type Header struct {
	// Length is how many bytes of the packet follow on the header.
	Length uint64
	// Continues says that the next packet goes on with the same message.
	Continues bool
}

// Handler is the protocol that packets belong to. Bytes that are handed to it are valid during the
// call only.
type Handler interface {
	// HeaderSize returns the size in bytes of a packet's header that begins with first, at least 1. It
	// is 0 where that byte is no packet's, but a message of its own, which the handler thus has taken.
	HeaderSize(st *Stream, first byte) int
	// ReadHeader reads a packet's header. It is not ok where there is no such packet.
	ReadHeader(st *Stream, header []byte) (h Header, ok bool)
	// Message follows the last byte of a message.
	Message(st *Stream)
	// Lost follows what shows that it is not known any more where packets begin; why was
	// not counted yet.
	Lost(st *Stream, why loss.Reason)
	// Resumes reports whether a packet begins with data, the captured beginning of a segment, after that
	// was lost. Turn says that the segment begins a turn.
	Resumes(st *Stream, data []byte, turn bool) bool
	// Strayed looks at Last, the last bytes of a segment in which it was not known where packets begin. It
	// reports whether a message ends with them.
	Strayed(st *Stream) bool
}

// part says what the next byte of a stream is taken for.
type part uint8

const (
	// inHeader: a packet's header, or its first byte.
	inHeader part = iota
	// inBody: `left` bytes of a packet.
	inBody
	// adrift: not known; a segment may begin with a packet, or end with one.
	adrift
	// closed: nothing of interest.
	closed
)

// Stream follows one direction of a connection, byte for byte. A handler may read its fields.
type Stream struct {
	// Offset is the place of the next byte, and End that of the segment's end. Turned is the place of
	// the last turn's first byte.
	Offset, End, Turned uint64
	// At is the origin of the bytes being read.
	At conn.Origin
	// Last holds the last bytes of the stream, at most 8, as far as they are known in a row.
	Last []byte

	// Place and First are the place and the origin of the message's first byte.
	Place uint64
	First conn.Origin
	// Header is that of the message's first packet.
	Header []byte
	// Length is the length of the message's body in bytes, that of all its packets.
	Length uint64
	// Body is the beginning of the message's body, without headers, at most MaxBody bytes that were
	// captured in a row; Partial says that there is more of it.
	Body    []byte
	Partial bool

	handler   Handler
	session   *database.Session
	direction conn.Direction
	part      part
	// started says that a segment came.
	started bool
	// header is what was read of the packet's header, of headerSize bytes.
	header     []byte
	headerSize int
	// left is how much of the packet is still to come; continues says that the next one goes on with it.
	left      uint64
	continues bool
}

// IsRequests reports whether the stream carries requests, as far as the session's side is known.
func (st *Stream) IsRequests() bool { return st.direction == st.session.Side.RequestDirection() }

// Direction is the stream's.
func (st *Stream) Direction() conn.Direction { return st.direction }

// Size is how many bytes of the message were moved, headers included: all of it in Handler.Message.
func (st *Stream) Size() uint64 { return st.Offset - st.Place }

// Adrift reports whether it is not known where packets begin.
func (st *Stream) Adrift() bool { return st.part == adrift }

// Lose says that it is not known any more where packets begin. Its handler hears of it, too.
func (st *Stream) Lose(why loss.Reason) {
	st.part, st.header, st.continues = adrift, st.header[:0], false
	st.handler.Lost(st, why)
}

// segment reads s.
func (st *Stream) segment(s *conn.Segment) {
	if !st.started {
		st.started, st.Offset = true, s.Offset
	}
	r := protocol.RunsOf(s)
	if s.Offset > st.Offset {
		st.unseen(s.Offset-st.Offset, loss.StreamGap)
	} else {
		r.Drop(st.Offset - s.Offset)
	}
	if s.Turn {
		st.Turned = s.Offset
	}
	st.End = st.Offset + uint64(len(r.Data)) + r.Unseen + uint64(len(r.Tail))
	st.At = s.Origin
	if st.part == adrift && st.handler.Resumes(st, r.Data, s.Turn) {
		st.part = inHeader
	}
	st.read(r.Data)
	st.unseen(r.Unseen, loss.HeadTooLong)
	st.read(r.Tail)
	if st.part == adrift && st.handler.Strayed(st) {
		st.part = inHeader
	}
}

// read takes bytes that were captured.
func (st *Stream) read(b []byte) {
	for len(b) > 0 {
		n := st.step(b)
		st.take(b[:n])
		st.after()
		b = b[n:]
	}
}

// step looks at some bytes of b and returns how many.
func (st *Stream) step(b []byte) int {
	switch st.part {
	case inHeader:
		return st.readHeader(b)
	case inBody:
		n := int(min(st.left, uint64(len(b))))
		st.left -= uint64(n)
		st.keep(b[:n])
		return n
	}
	return len(b)
}

// readHeader takes bytes of a header.
func (st *Stream) readHeader(b []byte) int {
	if len(st.header) == 0 {
		if st.headerSize = st.handler.HeaderSize(st, b[0]); st.headerSize == 0 {
			return 1
		}
		if !st.continues {
			st.Place, st.First = st.Offset, st.At
		}
	}
	n := min(len(b), st.headerSize-len(st.header))
	st.header = append(st.header, b[:n]...)
	return n
}

// keep remembers the beginning of a message.
func (st *Stream) keep(b []byte) {
	if st.Partial {
		return
	}
	n := min(len(b), MaxBody-len(st.Body))
	st.Body = append(st.Body, b[:n]...)
	st.Partial = n < len(b)
}

// take notes bytes that were captured.
func (st *Stream) take(b []byte) {
	st.Offset += uint64(len(b))
	if len(b) < tailSize {
		b = append(st.Last, b...)
	}
	st.Last = append(st.Last[:0], b[max(0, len(b)-tailSize):]...)
}

// after follows bytes that were taken.
func (st *Stream) after() {
	if st.part == inHeader && len(st.header) > 0 && len(st.header) == st.headerSize {
		st.headerEnds()
	}
	if st.part != inBody || st.left > 0 {
		return
	}
	st.part = inHeader
	if !st.continues {
		st.handler.Message(st)
	}
}

// headerEnds follows the last byte of a header.
func (st *Stream) headerEnds() {
	h, ok := st.handler.ReadHeader(st, st.header)
	if !ok {
		st.Lose(loss.MalformedMessage)
		return
	}
	if !st.continues {
		st.Header = append(st.Header[:0], st.header...)
		st.Body, st.Partial, st.Length = st.Body[:0], false, 0
	}
	st.header = st.header[:0]
	st.part, st.left, st.continues = inBody, h.Length, h.Continues
	st.Length += h.Length
}

// unseen takes n bytes that were not captured, for the reason why.
func (st *Stream) unseen(n uint64, why loss.Reason) {
	if n == 0 {
		return
	}
	st.Last = st.Last[:0]
	if why == loss.StreamGap && st.IsRequests() && st.part == inBody && n >= st.left {
		// A request that ended in a gap may have been answered before anything came behind it.
		st.Offset += n
		st.Lose(why)
		return
	}
	for n > 0 {
		k := n
		switch st.part {
		case inBody:
			k = min(n, st.left)
			st.left -= k
			st.Partial = true
		case inHeader:
			st.Lose(why)
		}
		st.Offset += k
		n -= k
		st.after()
	}
}
