package protocol

import (
	"slices"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
)

// maxPrefix is how many bytes of a turn may be kept for the protocols to decide.
const maxPrefix = 2048

// turn holds the beginning of a turn that no protocol was sure about yet. First
// reads of one byte are normal: Go's HTTP server reads one in the background.
type turn struct {
	// open is true while a verdict is due.
	open bool
	// kept are copies of the turn's segments so far, prefix their bytes in a row.
	kept   []conn.Segment
	prefix []byte
}

func (t *turn) begin() { *t = turn{open: true} }

// follows tells whether no bytes are missing between s and what is kept.
func (t *turn) follows(s *conn.Segment) bool {
	n := len(t.kept)
	return n == 0 || s.Offset == t.kept[n-1].End()
}

// with returns the turn's bytes up to and including those of s. They are valid
// until s is.
func (t *turn) with(s *conn.Segment) []byte {
	if len(t.kept) == 0 {
		return s.Data
	}
	return append(t.prefix, s.Data...)
}

// keep remembers s. It returns false where waiting for more bytes is useless:
// because some were not captured, or because these should have been enough.
func (t *turn) keep(s *conn.Segment) bool {
	if uint64(len(s.Data)) < s.Size || len(t.prefix)+len(s.Data) > maxPrefix {
		return false
	}
	t.prefix = append(t.prefix, s.Data...)
	c := *s
	c.Data, c.Tail = slices.Clone(s.Data), slices.Clone(s.Tail)
	t.kept = append(t.kept, c)
	return true
}
