package packet

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database"
)

// Streams are both directions of a connection, by conn.Direction.
type Streams [2]Stream

// NewStreams begins to follow a session's connection: what is found goes to h.
func NewStreams(s *database.Session, h Handler) (streams Streams) {
	for d := range streams {
		streams[d].session, streams[d].handler, streams[d].direction = s, h, conn.Direction(d)
	}
	return streams
}

// Segment reads the bytes of s.
func (s *Streams) Segment(segment *conn.Segment) {
	if segment.Size > 0 {
		s[segment.Direction].segment(segment)
	}
}

// Answers returns the direction that carries answers, as far as the session's side is known.
func (s *Streams) Answers() *Stream {
	if s[0].IsRequests() {
		return &s[1]
	}
	return &s[0]
}

// Close has nothing looked at any more, as where a connection turns to encryption.
func (s *Streams) Close() {
	for d := range s {
		s[d].part = closed
	}
}
