package postgresql

import (
	"bytes"
	"encoding/binary"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// maxBody is how much of a message is kept.
const maxBody = 2048

// part says what the next byte of a stream is taken for.
type part uint8

const (
	// inHeader: a message's type and length, or the first byte of them.
	inHeader part = iota
	// inBody: `left` bytes of a message.
	inBody
	// adrift: not known; a segment may begin with a message, or end with one.
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

	// place and first are those of the message's first byte.
	place  uint64
	first  conn.Origin
	header []byte
	kind   byte
	left   uint64
	// body is the beginning of the message; partial says that there is more of it.
	body    []byte
	partial bool
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
	if st.part == adrift {
		st.resume(r.Data, s.Turn)
	}
	st.read(r.Data)
	st.unseen(r.Unseen, loss.HeadTooLong)
	st.read(r.Tail)
	if st.part == adrift {
		st.parser.strayed(st)
	}
}

func (st *stream) isRequests() bool { return st.direction == st.parser.session.Side.RequestDirection() }

// resume looks whether a message begins with b, which begins a segment.
func (st *stream) resume(b []byte, turn bool) {
	switch {
	case st.isRequests():
		if classify(b) == protocol.Yes {
			st.part = inHeader
		}
	case turn && len(b) >= typed && isBackend(b):
		st.parser.overtaken()
		st.part = inHeader
	}
}

// isBackend reports whether b may begin a message of the backend.
func isBackend(b []byte) bool {
	length := binary.BigEndian.Uint32(b[1:])
	return bytes.IndexByte(backendKinds, b[0]) >= 0 && length >= untyped && length < maxLength
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
	if len(st.header) == 0 {
		if st.parser.negotiates(st, b[0]) {
			return 1
		}
		st.place, st.first = st.offset, st.at
	}
	n := min(len(b), st.headerSize(b)-len(st.header))
	st.header = append(st.header, b[:n]...)
	return n
}

// headerSize is that of a header, which begins with b if it has not begun.
func (st *stream) headerSize(b []byte) int {
	if len(st.header) > 0 {
		b = st.header
	}
	if st.isRequests() && b[0] == 0 {
		return untyped
	}
	return typed
}

// take notes bytes that were captured.
func (st *stream) take(b []byte) {
	st.offset += uint64(len(b))
	if len(b) < tailSize {
		b = append(st.last, b...)
	}
	st.last = append(st.last[:0], b[max(0, len(b)-tailSize):]...)
}

// tailSize is how many of a stream's last bytes are remembered.
const tailSize = 8

// after follows bytes that were taken.
func (st *stream) after() {
	if st.part == inHeader && len(st.header) > 0 && len(st.header) == st.headerSize(nil) {
		st.headerEnds()
	}
	if st.part == inBody && st.left == 0 {
		st.part = inHeader
		st.parser.message(st)
	}
}

// headerEnds follows the last byte of a header.
func (st *stream) headerEnds() {
	st.kind = 0
	length := uint64(binary.BigEndian.Uint32(st.header[len(st.header)-untyped:]))
	if len(st.header) == typed {
		st.kind = st.header[0]
	}
	st.header = st.header[:0]
	if !st.isKnown(length) {
		st.parser.lost(st, loss.MalformedMessage)
		return
	}
	st.part, st.left = inBody, length-untyped
	st.body, st.partial = st.body[:0], false
}

// isKnown reports whether there is a message of that kind and length.
func (st *stream) isKnown(length uint64) bool {
	kinds := backendKinds
	if st.isRequests() {
		kinds = frontendKinds
		if st.kind == 0 {
			return length >= 2*untyped && length <= maxStartup
		}
	}
	return length >= untyped && length <= maxLength && bytes.IndexByte(kinds, st.kind) >= 0
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
