package http1

import (
	"bytes"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// state says what the next byte of a stream is taken for.
type state uint8

const (
	// resync: not known. The next turn may begin with a head.
	resync state = iota
	// inHead: a head, or where none has begun the first byte of one.
	inHead
	// inBody: a body of which `left` bytes are to come.
	inBody
	// inChunks: a chunked body.
	inChunks
	// lostChunks: a chunked body in which the place of the next chunk is not
	// known. Its last bytes tell its end.
	lostChunks
	// untilClose: a body that ends with the stream.
	untilClose
	// opaque: a message of which the rest of the head was not captured, so that
	// its end cannot be told.
	opaque
	// tunnel: another protocol, to the end.
	tunnel
)

// stream follows one direction of a connection, byte for byte.
type stream struct {
	parser    *parser
	direction conn.Direction
	state     state
	// offset is the place of the next byte, where started is true.
	offset  uint64
	started bool
	// turned is the place of the last turn's first byte.
	turned uint64
	// at is the origin of the bytes being read.
	at conn.Origin
	// exchange is the one whose message is being read. It is nil for messages
	// that nobody is interested in; dropped says that the message answers a
	// request that found no room in the queue.
	exchange *exchange
	dropped  bool

	head head
	// left is how much of a body is to come; untouched that no byte of it came.
	left      uint64
	untouched bool
	chunks    chunks
	window    window
}

// segment reads s.
func (st *stream) segment(s *conn.Segment) {
	if st.state == tunnel && s.Direction == conn.Received {
		st.parser.sink.Message(s.Origin)
	}
	if !st.started {
		st.started, st.offset = true, s.Offset
	}
	r := protocol.RunsOf(s)
	switch {
	case s.Offset > st.offset && s.Skipped:
		st.offset = s.Offset
		st.parser.leftOut(st)
	case s.Offset > st.offset:
		// The origin is still that of the last bytes seen: if a message ends in
		// the gap, that is all that is known of its end.
		st.unseen(s.Offset-st.offset, loss.StreamGap)
	default:
		r.Drop(st.offset - s.Offset)
	}
	if s.Turn {
		st.turned = s.Offset
		st.turn(r.Data)
	}
	st.at = s.Origin
	st.read(r.Data)
	st.unseen(r.Unseen, loss.HeadTooLong)
	st.read(r.Tail)
	if st.state == lostChunks && st.window.endsBody() {
		st.messageEnds()
	}
}

// read takes bytes that were captured.
func (st *stream) read(b []byte) {
	for len(b) > 0 {
		n := st.step(b)
		st.offset += uint64(n)
		b = b[n:]
	}
}

// step takes some bytes off b and returns how many.
func (st *stream) step(b []byte) int {
	switch st.state {
	case inHead:
		return st.readHead(b)
	case inBody:
		return int(st.countBody(uint64(len(b))))
	case inChunks:
		return st.readChunks(b)
	case lostChunks:
		st.window.push(b)
	}
	st.move(uint64(len(b)))
	return len(b)
}

// unseen takes n bytes that were not captured, for the reason why.
func (st *stream) unseen(n uint64, why loss.Reason) {
	for n > 0 {
		k := st.skip(n, why)
		st.offset += k
		n -= k
	}
}

// skip takes some of n bytes and returns how many. It returns 0 only where it
// leaves the state inHead for another.
func (st *stream) skip(n uint64, why loss.Reason) uint64 {
	switch st.state {
	case inHead:
		if why == loss.StreamGap && !st.head.begun() {
			st.messagesMissing()
			return n
		}
		st.headCut(why)
		return 0
	case inBody:
		return st.countBody(n)
	case inChunks:
		if !st.chunks.skip(n) {
			st.loseChunks()
		}
	case lostChunks:
		st.window.clear()
	}
	st.move(n)
	return n
}

// countBody takes up to n bytes of a body with a known length.
func (st *stream) countBody(n uint64) uint64 {
	n = min(n, st.left)
	st.left -= n
	st.untouched = false
	st.move(n)
	if st.left == 0 {
		st.messageEnds()
	}
	return n
}

func (st *stream) readChunks(b []byte) int {
	n := st.chunks.read(b)
	st.move(uint64(n))
	switch st.chunks.part {
	case chunksDone:
		st.setSize(st.chunks.data)
		st.messageEnds()
	case chunksBad:
		st.parser.lose(loss.MalformedMessage)
		st.loseChunks()
	}
	return n
}

func (st *stream) loseChunks() {
	st.state = lostChunks
	st.window.clear()
}

// move notes that n more bytes of the message's body (or some of its head, with
// n = 0) were moved.
func (st *stream) move(n uint64) {
	m := st.message()
	if m == nil {
		return
	}
	m.Move(n, st.at)
	if st.state == inBody || st.state == untilClose {
		st.setSize(m.Size)
	}
}

// setSize notes the size of the message's body.
func (st *stream) setSize(n int64) {
	switch {
	case st.message() == nil:
	case st.isRequest():
		st.exchange.requestSize = n
	default:
		st.exchange.responseSize = n
	}
}

// message returns the message being read, nil where it must not change.
func (st *stream) message() *protocol.Message {
	switch {
	case st.exchange == nil || st.exchange.ended:
		return nil
	case st.isRequest():
		return &st.exchange.Request
	}
	return &st.exchange.Response
}

// bodyBegins follows a head that says f, with a Content-Length of length.
func (st *stream) bodyBegins(f framing, length int64) {
	switch f {
	case noBody:
		if length == 0 {
			st.setSize(0)
		}
		st.messageEnds()
	case byLength:
		st.state, st.left, st.untouched = inBody, uint64(length), true
		st.setSize(0)
	case byChunks:
		st.state, st.chunks = inChunks, chunks{}
	case byClose:
		st.state = untilClose
		st.setSize(0)
	case notHTTP:
		st.parser.tunnelBegins(st)
	case malformed:
		st.parser.lose(loss.MalformedMessage)
		st.state = opaque
	}
}

// messageEnds follows the last byte of a message.
func (st *stream) messageEnds() {
	if m := st.message(); m != nil {
		m.Complete = true
	}
	e, dropped := st.exchange, st.dropped
	st.expectHead(false)
	switch {
	case st.isRequest():
	case e != nil:
		st.parser.finish(e, e.Response.Last)
	case dropped:
		st.parser.queue.pop()
	}
}

// expectHead makes the next byte the first of a head. It is tentative where the
// last message's end was not seen: bytes that are no head are then no mistake.
func (st *stream) expectHead(tentative bool) {
	st.state, st.exchange, st.dropped = inHead, nil, false
	st.head = head{tentative: tentative}
}

// resync gives up the place in the stream until a turn begins with a head.
func (st *stream) resync() {
	st.expectHead(true)
	st.state = resync
}

func (st *stream) isRequest() bool {
	return st.direction == st.parser.side.RequestDirection()
}

// turn notes that a turn begins with data.
func (st *stream) turn(data []byte) {
	if st.isStale(data) {
		st.parser.abandon(st)
	}
	if st.state == resync {
		st.expectHead(true)
	}
}

// isStale tells whether a turn that begins with data shows that the message
// being read, whose end was not seen or never came, is over.
func (st *stream) isStale(data []byte) bool {
	switch st.state {
	case opaque, lostChunks:
	case inBody:
		// Who waits for 100 Continue need not send the body after another answer.
		if !st.untouched || st.message() != nil {
			return false
		}
	default:
		return false
	}
	data = data[newlines(data):]
	if st.isRequest() {
		// The end of a body and the method after it may look like a strange method.
		method, _, _ := bytes.Cut(data, space)
		return KnownMethod(method) != "" && classifyRequest(data) == protocol.Yes
	}
	return classifyResponse(data) == protocol.Yes
}
