package http1

import (
	"bytes"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

const (
	// maxHead is the longest head that is waited for, in bytes.
	maxHead = 16 << 10
	// usualHead is room for most heads that come in pieces.
	usualHead = 512
	// telling is how many bytes tell as much as any that are not a whole line.
	telling = 64
)

// head is the beginning of a message of which the end is still to come.
type head struct {
	buf []byte
	// first and place are those of its first byte.
	first conn.Origin
	place uint64
	// tentative: it need not be a head.
	tentative bool
	// afterGap: messages before it may be missing.
	afterGap bool
	// started: its first line was made use of.
	started bool
	// interim: it is that of a 1xx response, which another one follows.
	interim bool
}

// begun tells whether a byte of the head was seen.
func (h *head) begun() bool { return len(h.buf) > 0 }

// with returns the head so far with b after it.
func (h *head) with(b []byte) []byte {
	if !h.begun() {
		return b
	}
	h.buf = append(h.buf, b...)
	return h.buf
}

// keep remembers what with returned.
func (h *head) keep(all []byte) {
	if !h.begun() {
		h.buf = append(make([]byte, 0, max(len(all), usualHead)), all...)
	}
}

// readHead takes bytes off b that belong to a head and returns how many. A head
// that comes in one piece is read where it is.
func (st *stream) readHead(b []byte) int {
	h := &st.head
	if !h.begun() {
		if n := newlines(b); n > 0 {
			return n
		}
		h.first, h.place = st.at, st.offset
	}
	before := len(h.buf)
	b = b[:min(len(b), maxHead-before)]
	all := h.with(b)
	if !h.started {
		st.startHead(all, b)
	}
	if st.state != inHead {
		return len(b)
	}
	if h.started {
		if fields, end := st.readFields(all, before); end > 0 {
			st.headEnds(&fields)
			return end - before
		}
	}
	h.keep(all)
	if len(all) == maxHead {
		st.headCut(loss.HeadTooLong)
	}
	return len(b)
}

// readFields reads the fields of a head, and returns the offset after it, 0 where it is not whole. Its first
// bytes, so many, were there before.
func (st *stream) readFields(all []byte, before int) (h headers, end int) {
	line := bytes.IndexByte(all, '\n') + 1
	if line == 0 || before > 0 && headEnd(all, max(0, before-2)) < 0 {
		return h, 0
	}
	h, end = readFields(all[line:], st.contexts())
	if end < 0 {
		return h, 0
	}
	return h, line + end
}

// contexts returns where the fields go that may carry trace contexts, nil where nobody wants them.
func (st *stream) contexts() *contextFields {
	p := st.parser
	if !st.isRequest() || st.exchange == nil || st.exchange.Thinning.Out {
		return nil
	}
	p.contexts = p.contexts[:0]
	return &p.contexts
}

// startHead looks at the first line of a head, of which added are the bytes that
// were not there the last time.
func (st *stream) startHead(all, added []byte) {
	if len(all)-len(added) > telling && !bytes.Contains(added, newline) {
		return
	}
	switch line, v := st.recognise(all); {
	case v == protocol.No:
		st.headRejected()
	case v == protocol.Maybe:
	case !st.isRequest():
		st.parser.responseBegins(st, statusCode(all))
	case line.whole():
		st.parser.requestBegins(st, line)
	}
}

// recognise tells whether b begins a message that may come in this direction, and
// reads a request's first line where it is whole. The first message that may come
// decides the direction of requests for the connection.
func (st *stream) recognise(b []byte) (requestLine, protocol.Verdict) {
	p := st.parser
	if p.sided && st.isRequest() {
		return readRequestLine(b)
	}
	response := classifyResponse(b)
	if p.sided {
		return requestLine{}, response
	}
	line, request := readRequestLine(b)
	if request == protocol.Yes || response == protocol.Yes {
		p.decideSide(st.direction, request == protocol.Yes)
	}
	return line, max(request, response)
}

// headEnds follows the last byte of a head.
func (st *stream) headEnds(h *headers) {
	switch {
	case st.isRequest():
		st.parser.requestHead(st, h)
	case st.head.interim:
		st.expectHead(false)
	default:
		st.parser.responseHead(st, h)
	}
	st.head.buf = nil
}

// headRejected follows bytes that are no head where one was expected.
func (st *stream) headRejected() {
	p := st.parser
	switch {
	case st.head.afterGap && !st.isRequest() && p.responseUnseen(st):
		return
	case st.head.tentative:
	default:
		p.lose(loss.MalformedMessage)
		p.missed = p.missed || st.isRequest()
	}
	st.resync()
}

// headCut follows the last byte that was captured of a head, which has more.
func (st *stream) headCut(why loss.Reason) {
	switch {
	case !st.parser.sided:
		st.resync()
	case st.isRequest():
		st.parser.requestCut(st, why)
	default:
		st.parser.responseCut(st, why)
	}
	st.head.buf = nil
}

// messagesMissing follows a gap between messages.
func (st *stream) messagesMissing() {
	if !st.parser.sided {
		st.resync()
		return
	}
	st.expectHead(true)
	st.head.afterGap = true
	st.parser.lose(loss.StreamGap)
	if st.isRequest() {
		st.parser.requestMissed()
	}
}
