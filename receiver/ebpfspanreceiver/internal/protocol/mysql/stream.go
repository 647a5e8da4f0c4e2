package mysql

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// maxBody is how much of a packet is kept: a statement's beginning.
const maxBody = 2100

// tailSize is how many of a stream's last bytes are remembered.
const tailSize = 8

// part says what the next byte of a stream is taken for.
type part uint8

const (
	// inHeader: a packet's header.
	inHeader part = iota
	// inBody: `left` bytes of a packet.
	inBody
	// adrift: not known; a segment may begin with a packet, or end with one.
	adrift
	// closed: nothing of interest.
	closed
)

// stream follows one direction of a connection, byte for byte.
type stream struct {
	parser    *parser
	direction conn.Direction
	part      part
	// offset is the place of the next byte, where started is true, and end that of the
	// segment's end; turned that of the last turn's first byte.
	offset, end, turned uint64
	started             bool
	// at is the origin of the bytes being read.
	at conn.Origin
	// last holds the last bytes of the stream, as far as they are known in a row.
	last []byte

	// place and first are those of the packet's first byte.
	place  uint64
	first  conn.Origin
	header []byte
	// length and number are in the header; left is how much of the packet is still to come.
	length int
	number byte
	left   uint64
	// body is the beginning of the message, which may be several packets; partial says that there is
	// more of it, continued that the next packet goes on with it.
	body               []byte
	partial, continued bool
}

// segment reads s.
func (st *stream) segment(s *conn.Segment) {
	if !st.started {
		st.started, st.offset = true, s.Offset
	}
	r := protocol.RunsOf(s)
	if s.Offset > st.offset {
		st.unseen(s.Offset-st.offset, loss.StreamGap)
	} else {
		r.Drop(st.offset - s.Offset)
	}
	if s.Turn {
		st.turned = s.Offset
	}
	st.end = st.offset + uint64(len(r.Data)) + r.Unseen + uint64(len(r.Tail))
	st.at = s.Origin
	if st.part == adrift && s.Turn {
		st.resume(r.Data)
	}
	st.read(r.Data)
	st.unseen(r.Unseen, loss.HeadTooLong)
	st.read(r.Tail)
	if st.part == adrift && !st.isRequests() {
		st.parser.strayed(st)
	}
}

func (st *stream) isRequests() bool { return st.direction == st.parser.session.Side.RequestDirection() }

// resume looks whether a packet begins with b, which begins a turn.
func (st *stream) resume(b []byte) {
	switch {
	case len(b) < headerSize || lengthOf(b) == 0:
	case st.isRequests() && b[3] == 0:
		if len(b) == headerSize || isCommand(b[headerSize]) {
			st.part, st.continued = inHeader, false
		}
	case !st.isRequests() && b[3] == 1:
		st.part, st.continued = inHeader, false
	}
}

// read takes bytes that were captured.
func (st *stream) read(b []byte) {
	for len(b) > 0 {
		n := st.step(b)
		st.take(b[:n])
		st.after()
		b = b[n:]
	}
}

// step looks at some bytes of b and returns how many.
func (st *stream) step(b []byte) int {
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
func (st *stream) readHeader(b []byte) int {
	if len(st.header) == 0 && !st.continued {
		st.place, st.first = st.offset, st.at
	}
	n := min(len(b), headerSize-len(st.header))
	st.header = append(st.header, b[:n]...)
	return n
}

// take notes bytes that were captured.
func (st *stream) take(b []byte) {
	st.offset += uint64(len(b))
	if len(b) < tailSize {
		b = append(st.last, b...)
	}
	st.last = append(st.last[:0], b[max(0, len(b)-tailSize):]...)
}

// after follows bytes that were taken.
func (st *stream) after() {
	if st.part == inHeader && len(st.header) == headerSize {
		st.headerEnds()
	}
	if st.part != inBody || st.left > 0 {
		return
	}
	st.part = inHeader
	if st.continued = st.length == maxLength; !st.continued {
		st.parser.message(st)
	}
}

// headerEnds follows the last byte of a header.
func (st *stream) headerEnds() {
	st.length = lengthOf(st.header)
	st.left = uint64(st.length)
	st.part = inBody
	if !st.continued {
		st.number = st.header[3]
		st.body, st.partial = st.body[:0], false
	}
	st.header = st.header[:0]
}

// size is that of the message that has just ended.
func (st *stream) size() uint64 { return st.offset - st.place }

// keep remembers the beginning of a message.
func (st *stream) keep(b []byte) {
	if st.partial {
		return
	}
	n := min(len(b), maxBody-len(st.body))
	st.body = append(st.body, b[:n]...)
	st.partial = n < len(b)
}

// unseen takes n bytes that were not captured, for the reason why.
func (st *stream) unseen(n uint64, why loss.Reason) {
	if n == 0 {
		return
	}
	st.last = st.last[:0]
	if why == loss.StreamGap && st.isRequests() && st.part == inBody && n >= st.left {
		// A command that ended in a gap may have been answered before anything came behind it.
		st.offset += n
		st.parser.lost(st, why)
		return
	}
	for n > 0 {
		k := n
		switch st.part {
		case inBody:
			k = min(n, st.left)
			st.left -= k
			st.partial = true
		case inHeader:
			st.parser.lost(st, why)
		}
		st.offset += k
		n -= k
		st.after()
	}
}
