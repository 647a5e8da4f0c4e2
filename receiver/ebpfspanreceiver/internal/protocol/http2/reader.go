package http2

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// maxBlock is how much of a block of header fields is read, in bytes: more than servers
// accept unless they are told to.
const maxBlock = 64 << 10

// part says what the next byte of a direction is taken for.
type part uint8

const (
	// inHeader: a frame's header.
	inHeader part = iota
	// inPreface: the client's preface.
	inPreface
	// inPayload: a frame's payload.
	inPayload
	// adrift: not known; a segment may begin with a frame.
	adrift
)

// reader follows the frames of one direction.
type reader struct {
	parser    *parser
	direction conn.Direction
	part      part
	// offset is the place of the next byte, where started is true.
	offset  uint64
	started bool
	// at is the origin of the bytes being read.
	at conn.Origin

	// header holds the first bytes of a frame's header, first is the origin of the
	// first of them.
	header [headerSize]byte
	have   int
	first  conn.Origin
	// frame is the one whose payload is read, of which left bytes are to come. Of frames that
	// carry fields, and of short ones, payload holds it; cut says that some of it is missing.
	frame   frame
	left    uint64
	payload []byte
	cut     bool

	table table
	block block
	kept  kept
}

// block is what was read of the fields that one HEADERS or PUSH_PROMISE frame begins and
// CONTINUATION frames go on with: RFC 9113, section 4.3.
type block struct {
	open   bool
	begins frame
	first  conn.Origin
	fields []byte
	cut    bool
}

// segment reads s.
func (r *reader) segment(s *conn.Segment) {
	if !r.started {
		r.begin(s)
	}
	runs := protocol.RunsOf(s)
	if s.Offset > r.offset {
		r.unseen(s.Offset-r.offset, loss.StreamGap)
	} else {
		runs.Drop(r.offset - s.Offset)
	}
	r.at = s.Origin
	if r.part == adrift {
		r.resume(runs, s.Frames && s.Offset == r.offset)
	}
	r.read(runs.Data)
	r.unseen(runs.Unseen, loss.HeadTooLong)
	r.read(runs.Tail)
}

// begin decides what the direction's first segment begins with.
func (r *reader) begin(s *conn.Segment) {
	r.started, r.offset = true, s.Offset
	known := r.parser.classified
	switch {
	case !known && len(s.Data) > 0 && s.Data[0] == preface[0]:
		r.parser.begins(r.direction)
		r.part, r.left = inPreface, uint64(len(preface))
	case !known, r.parser.fresh && (s.Offset == 0 || s.Conn.Unix):
	case s.Offset == 0 && !s.Conn.Unix && len(s.Data) > 0 && s.Data[0] == preface[0]:
		// A server may send its settings before it reads.
		r.parser.begins(r.direction)
		r.part, r.left = inPreface, uint64(len(preface))
	default:
		r.part = adrift
	}
	r.parser.classified = true
	r.table.fresh = s.Offset == 0 && !s.Conn.Unix
}

// maxKept is how much is looked at for frames, in bytes.
const maxKept = 2048

// kept are bytes that may begin with frames, which are not enough to tell: a peer may read a frame's header
// alone.
type kept struct {
	bytes []byte
	at    conn.Origin
}

// resume looks whether frames begin with a segment, or with one before it. Where the kernel side says that they
// do they need only look like frames.
func (r *reader) resume(runs protocol.Runs, told bool) {
	k := &r.kept
	if told && len(runs.Data) >= headerSize && classifyFrames(runs.Data) != protocol.No {
		k.bytes = k.bytes[:0]
		r.part, r.have = inHeader, 0
		return
	}
	if len(k.bytes) == 0 {
		k.at = r.at
	}
	verdict := classifyFrames(append(k.bytes, runs.Data...))
	if verdict == protocol.No && len(k.bytes) > 0 {
		k.bytes, k.at = k.bytes[:0], r.at
		verdict = classifyFrames(runs.Data)
	}
	switch {
	case verdict == protocol.Yes:
		r.part, r.have = inHeader, 0
		r.offset -= uint64(len(k.bytes))
		now := r.at
		r.at = k.at
		r.read(k.bytes)
		r.at = now
		k.bytes = nil
	case verdict == protocol.No, runs.Unseen > 0, len(k.bytes)+len(runs.Data) > maxKept:
		k.bytes = k.bytes[:0]
	default:
		k.bytes = append(k.bytes, runs.Data...)
	}
}

// read takes bytes that were captured.
func (r *reader) read(b []byte) {
	for len(b) > 0 {
		n := r.step(b)
		r.offset += uint64(n)
		b = b[n:]
	}
}

// step takes some bytes off b and returns how many.
func (r *reader) step(b []byte) int {
	switch r.part {
	case inHeader:
		return r.readHeader(b)
	case inPreface:
		n := min(r.left, uint64(len(b)))
		if r.left -= n; r.left == 0 {
			r.part = inHeader
		}
		return int(n)
	case inPayload:
		n := min(r.left, uint64(len(b)))
		switch {
		case r.keeps() && !r.cut:
			r.keep(b[:n])
		case r.frame.kind == frameData && len(r.payload) < messageHead && !r.cut:
			r.payload = append(r.payload, b[:min(n, uint64(messageHead-len(r.payload)))]...)
		}
		r.moved(n)
		return int(n)
	}
	return len(b)
}

func (r *reader) readHeader(b []byte) int {
	if r.have == 0 {
		r.first = r.at
	}
	n := copy(r.header[r.have:], b)
	if r.have += n; r.have < headerSize {
		return n
	}
	r.have = 0
	f := readFrame(r.header[:])
	if !f.valid() {
		r.lost(loss.MalformedMessage)
		return n
	}
	r.frame, r.left, r.payload, r.cut = f, uint64(f.length), r.payload[:0], false
	r.part = inPayload
	if f.kind == frameData {
		r.parser.dataBegins(r)
	}
	if r.left == 0 {
		r.frameEnds()
	}
	return n
}

// keeps reports whether the payload is read.
func (r *reader) keeps() bool {
	return r.frame.carriesFields() || r.frame.kind == frameReset || r.frame.kind == frameGoAway
}

func (r *reader) keep(b []byte) {
	room := maxBlock - min(maxBlock, len(r.payload))
	if r.frame.kind == frameGoAway {
		room = 8 - min(8, len(r.payload))
	} else if len(b) > room {
		r.cut = true
		r.parser.lose(loss.HeadTooLong)
	}
	r.payload = append(r.payload, b[:min(len(b), room)]...)
}

// moved notes that n bytes of the payload were moved.
func (r *reader) moved(n uint64) {
	r.left -= n
	if r.frame.kind == frameData {
		r.parser.data(r, n)
	}
	if r.left == 0 {
		r.frameEnds()
	}
}

// unseen takes n bytes that were not captured, for the reason why.
func (r *reader) unseen(n uint64, why loss.Reason) {
	if n == 0 {
		return
	}
	r.offset += n
	r.kept.bytes = r.kept.bytes[:0]
	if r.part == inPreface || r.part == inPayload {
		k := min(n, r.left)
		if n -= k; r.part == inPreface {
			if r.left -= k; r.left == 0 {
				r.part = inHeader
			}
		} else {
			if r.keeps() && !r.cut {
				r.parser.lose(why)
			}
			r.cut = true
			r.moved(k)
		}
	}
	if n > 0 && r.part != adrift {
		r.lost(why)
	}
}

// lost follows what shows that it is not known any more where frames begin.
func (r *reader) lost(why loss.Reason) {
	r.parser.lose(why)
	r.part, r.have = adrift, 0
	r.block = block{fields: r.block.fields[:0]}
	r.table.forget()
	r.parser.drifts(r)
}

// frameEnds follows the last byte of a frame.
func (r *reader) frameEnds() {
	f := r.frame
	r.part = inHeader
	switch {
	case f.carriesFields():
		r.fragment()
	case f.kind == frameData:
		r.parser.dataEnds(r)
	case f.kind == frameReset && !r.cut:
		r.parser.reset(r, f.stream, r.payload)
	case f.kind == frameGoAway && !r.cut:
		r.parser.goAway(r, r.payload)
	}
	if cap(r.payload) > usualSize {
		r.payload = nil
	}
}

// fragment takes a frame that carries fields.
func (r *reader) fragment() {
	f := r.frame
	b := &r.block
	if f.kind != frameContinuation {
		*b = block{open: true, begins: f, first: r.first, fields: b.fields[:0]}
	}
	if !b.open || b.begins.stream != f.stream {
		r.parser.lose(loss.MalformedMessage)
		r.table.forget()
		return
	}
	part := f.fragment(r.payload)
	if room := maxBlock - len(b.fields); len(part) > room && !b.cut {
		b.cut, part = true, part[:room]
		r.parser.lose(loss.HeadTooLong)
	}
	if !b.cut {
		b.fields = append(b.fields, part...)
	}
	b.cut = b.cut || r.cut
	if f.has(flagEndHeaders) {
		b.open = false
		r.blockEnds()
	}
}

// blockEnds follows the last frame of a block.
func (r *reader) blockEnds() {
	b := &r.block
	h := headers{}
	if !r.table.read(b.fields, b.cut, h.take) {
		if !b.cut {
			r.parser.lose(loss.MalformedMessage)
		}
		h.cut = true
	}
	if b.begins.kind == frameHeaders {
		r.parser.headers(r, &h)
	}
	if cap(b.fields) > usualSize {
		b.fields = nil
	}
}
