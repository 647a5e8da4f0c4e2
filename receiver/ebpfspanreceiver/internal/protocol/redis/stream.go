package redis

import (
	"bytes"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// maxLine is how much of a line is kept: enough for each header, for what tells an error,
// and for a command that is a line of text.
const maxLine = 512

var crlf = []byte("\r\n")

// part says what the next byte of a stream is taken for.
type part uint8

const (
	// atStart: the first byte of a message.
	atStart part = iota
	// inLine: a header, or an element that is a line.
	inLine
	// inBulk: `left` bytes of a bulk string and its end.
	inBulk
	// adrift: not known; a segment may begin with a message.
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
	// segment's end.
	offset, end uint64
	started     bool
	// turned is the place of the last turn's first byte.
	turned uint64
	// at is the origin of the bytes being read.
	at conn.Origin
	// last holds the last two bytes of the stream, as far as they are known.
	last [2]byte

	// place and first are those of the message's first byte, kind is that byte.
	place uint64
	first conn.Origin
	kind  byte
	// elements is how many elements of the message are to come, bulks how many bulk
	// strings there were.
	elements, bulks uint64
	// opened says that the message's first header was read, of an array.
	opened bool
	line   []byte
	left   uint64
	// text is the beginning of a bulk string; partial says that there was more.
	text    []byte
	partial bool
	// request is whose message is being read, nil for nobody's.
	request *request
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
	if st.part == adrift && bytes.Equal(st.last[:], crlf) {
		st.parser.strayed(st)
	}
}

func (st *stream) isRequests() bool { return st.direction == st.parser.session.Side.RequestDirection() }

// resume looks whether a message begins with b, which begins a segment. A turn that carries
// answers begins with one, at any rate.
func (st *stream) resume(b []byte, turn bool) {
	switch {
	case st.isRequests():
		if classifyCommand(b) == protocol.Yes {
			st.part = atStart
		}
	case turn && len(b) > 0 && isKind(b[0]):
		st.parser.overtaken(st)
		st.part = atStart
	}
}

// read takes bytes that were captured.
func (st *stream) read(b []byte) {
	for len(b) > 0 {
		n := st.step(b)
		b = b[n:]
	}
}

// step takes some bytes off b and returns how many.
func (st *stream) step(b []byte) int {
	switch st.part {
	case atStart:
		if !st.begins(b) {
			st.take(b[:1])
			return 1
		}
		return st.readLine(b)
	case inLine:
		return st.readLine(b)
	case inBulk:
		return st.readBulk(b)
	}
	st.take(b)
	return len(b)
}

// begins looks at a message's first byte, and returns false where it is none's.
func (st *stream) begins(b []byte) bool {
	p, kind := st.parser, b[0]
	if st.isRequests() {
		switch {
		case kind == '\r' || kind == '\n':
			return false // Redis skips empty lines
		case kind != '*' && !isName(b[:1]):
			p.malformed(st)
			return false
		}
	} else if !isKind(kind) {
		p.malformed(st)
		return false
	}
	st.part, st.kind, st.place, st.first = inLine, kind, st.offset, st.at
	st.elements, st.bulks, st.opened, st.line, st.request = 1, 0, false, st.line[:0], nil
	if !st.isRequests() {
		p.answerBegins(st)
	}
	return true
}

// isKind reports whether c begins an answer.
func isKind(c byte) bool { return bytes.IndexByte([]byte("+-:$*_#,(!=%~>|"), c) >= 0 }

// take moves bytes that were captured.
func (st *stream) take(b []byte) {
	if n := len(b); n >= 2 {
		st.last = [2]byte(b[n-2:])
	} else if n == 1 {
		st.last = [2]byte{st.last[1], b[0]}
	}
	st.moved(uint64(len(b)))
}

// moved notes that n bytes were moved.
func (st *stream) moved(n uint64) {
	st.offset += n
	switch {
	case st.request == nil || st.request.Ended():
	case st.isRequests():
		st.request.Request.Move(n, st.at)
	default:
		st.parser.session.Respond(&st.request.Exchange, n, st.at)
	}
}

func (st *stream) readLine(b []byte) int {
	i := bytes.IndexByte(b, '\n')
	n := i + 1
	if i < 0 {
		n = len(b)
	}
	st.line = append(st.line, b[:min(n, maxLine-min(maxLine, len(st.line)))]...)
	st.take(b[:n])
	if i < 0 {
		return n
	}
	line := bytes.TrimRight(st.line, "\r\n")
	switch {
	case st.part != inLine:
	case st.isRequests() && st.kind != '*':
		st.parser.inline(st, line)
	case len(line) == 0 || !st.header(line):
		st.parser.malformed(st)
	}
	st.line = st.line[:0]
	return n
}

// header reads the line that begins an element, and returns false where it is none.
func (st *stream) header(line []byte) bool {
	switch line[0] {
	case '+', '-', ':', '_', '#', ',', '(':
		if st.isRequests() {
			return false
		}
		st.elementEnds(line)
		return true
	}
	n, null, ok := number(line[1:])
	if !ok || null && st.isRequests() {
		return false
	}
	switch line[0] {
	case '$', '!', '=':
		switch {
		case st.isRequests() && line[0] != '$':
			return false
		case null:
			st.elementEnds(nil)
			return true
		}
		st.part, st.left = inBulk, n+uint64(len(crlf))
		st.text, st.partial = st.text[:0], false
		return true
	case '%', '|':
		n *= 2
	case '*', '~', '>':
	default:
		return false
	}
	if st.isRequests() && (line[0] != '*' || st.opened) {
		return false
	}
	st.opened = true
	st.elements += n
	if line[0] != '|' { // attributes come before the element that they describe
		st.elements--
	}
	if st.elements == 0 {
		st.messageEnds(line)
	}
	return true
}

// number reads a count or a length, or null, which is -1 in RESP2.
func number(digits []byte) (n uint64, null, ok bool) {
	const most = 1 << 32
	if string(digits) == "-1" {
		return 0, true, true
	}
	for _, c := range digits {
		if c < '0' || c > '9' || n > most {
			return 0, false, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, false, len(digits) > 0
}

func (st *stream) readBulk(b []byte) int {
	n := min(st.left, uint64(len(b)))
	if data := st.left - min(st.left, uint64(len(crlf))); data > 0 {
		st.keep(b[:min(data, n)])
	}
	st.left -= n
	st.take(b[:n])
	if st.left == 0 {
		st.bulkEnds()
	}
	return int(n)
}

// keep remembers the beginning of a bulk string.
func (st *stream) keep(b []byte) {
	if st.partial {
		return
	}
	n := min(len(b), maxArgument-len(st.text))
	st.text = append(st.text, b[:n]...)
	st.partial = n < len(b)
}

func (st *stream) bulkEnds() {
	st.bulks++
	if st.part == inBulk {
		st.part = inLine
	}
	if st.isRequests() {
		st.parser.argument(st, st.text, !st.partial)
	} else {
		st.parser.answerString(st)
	}
	if st.part == inLine {
		st.elementEnds(st.text)
	}
}

// elementEnds follows an element that holds no others.
func (st *stream) elementEnds(text []byte) {
	st.elements--
	if st.elements == 0 {
		st.messageEnds(text)
	}
}

// messageEnds follows a message's last byte. Text is its last line or string.
func (st *stream) messageEnds(text []byte) {
	st.part = atStart
	if st.isRequests() {
		st.parser.requestEnds(st)
	} else {
		st.parser.answerEnds(st, text)
	}
	st.request = nil
}

// unseen takes n bytes that were not captured, for the reason why.
func (st *stream) unseen(n uint64, why loss.Reason) {
	if n == 0 {
		return
	}
	st.last = [2]byte{}
	for n > 0 {
		k := n
		if st.part == inBulk {
			k = min(n, st.left)
			st.left -= k
			st.partial = true
		} else if st.part != adrift && st.part != closed {
			st.parser.lost(st, why)
		}
		n -= k
		st.moved(k)
		if st.part == inBulk && st.left == 0 {
			st.bulkEnds()
		}
	}
}
