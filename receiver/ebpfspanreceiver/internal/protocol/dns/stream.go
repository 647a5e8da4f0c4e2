package dns

import (
	"encoding/binary"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// maxKept is how much of a message is kept to read the addresses in it.
const maxKept = 4096

// stream is one direction of a connection: messages, each after its length.
type stream struct {
	parser    *parser
	direction conn.Direction
	// begun is true once a byte was seen; next is then the offset after the last.
	begun bool
	next  uint64
	// adrift says that it is not known where messages begin, until a turn does.
	adrift bool

	// head is the length of the message as far as it came, place that of its first byte,
	// and first who moved that.
	head  []byte
	place uint64
	first conn.Origin
	// size is that of the message, left how many of its bytes are still to come, kept its first
	// ones. cut says that those that follow on them were not captured.
	size, left uint64
	kept       []byte
	cut        bool
	// message is what was read of it, known once that was enough, and exchange what it belongs to.
	message  message
	known    bool
	exchange *exchange
}

func (st *stream) segment(s *conn.Segment) {
	if s.Size == 0 {
		return
	}
	if st.begun && s.Offset != st.next && !st.adrift {
		st.lost(loss.StreamGap)
	}
	st.begun, st.next = true, s.End()
	if st.adrift && !s.Turn {
		return
	}
	st.adrift = false
	runs := protocol.RunsOf(s)
	at := s.Offset
	for !st.adrift && len(runs.Data)+len(runs.Tail) > 0 || runs.Unseen > 0 && !st.adrift {
		n := st.take(&runs, at, s.Origin)
		at += n
		runs.Drop(n)
	}
}

// take takes some of the bytes at place at, and returns how many.
func (st *stream) take(runs *protocol.Runs, at uint64, origin conn.Origin) (n uint64) {
	seen := runs.Data
	if len(seen) == 0 && runs.Unseen == 0 {
		seen = runs.Tail
	}
	switch {
	case len(st.head) < lengthSize && len(seen) == 0:
		st.lost(loss.StreamGap)
		return runs.Unseen
	case len(st.head) < lengthSize:
		return st.length(seen, at, origin)
	case len(seen) == 0:
		st.cut = true
		n = min(runs.Unseen, st.left)
	default:
		n = min(uint64(len(seen)), st.left)
		st.keep(seen[:n])
	}
	st.left -= n
	st.look()
	if st.left == 0 && !st.adrift {
		st.ends(origin)
	}
	return n
}

// length takes bytes of a message's length.
func (st *stream) length(seen []byte, at uint64, origin conn.Origin) uint64 {
	if len(st.head) == 0 {
		st.place, st.first = at, origin
	}
	n := min(lengthSize-len(st.head), len(seen))
	st.head = append(st.head, seen[:n]...)
	if len(st.head) == lengthSize {
		st.size = uint64(binary.BigEndian.Uint16(st.head))
		st.left = st.size
		if st.left < headerSize {
			st.lost(loss.MalformedMessage)
		}
	}
	return uint64(n)
}

// keep keeps bytes of a message that follow on those that are kept.
func (st *stream) keep(b []byte) {
	if !st.cut && len(st.kept) < maxKept {
		st.kept = append(st.kept, b[:min(len(b), maxKept-len(st.kept))]...)
	}
}

// look reads the message where there is enough of it.
func (st *stream) look() {
	if st.known {
		return
	}
	m, p := read(st.kept)
	switch {
	case p == whole:
		st.message, st.known = m, true
		st.exchange = st.parser.messageBegins(st, &st.message)
	case p == short && st.left > 0 && !st.cut:
	case p == short && st.cut:
		st.lost(loss.HeadTooLong)
	default:
		st.lost(loss.MalformedMessage)
	}
}

// ends takes a message's last byte.
func (st *stream) ends(at conn.Origin) {
	st.parser.messageEnds(st, st.exchange, &st.message, at)
	st.reset()
}

func (st *stream) reset() {
	st.head, st.kept, st.left, st.cut = st.head[:0], st.kept[:0], 0, false
	st.known, st.exchange = false, nil
}

// lost gives the stream up until its next turn.
func (st *stream) lost(why loss.Reason) {
	st.reset()
	st.adrift = true
	st.parser.lost(why)
}
