package protocol

import (
	"math"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
)

// Runs are the bytes of a segment: some that were captured, then some that were
// not, then the last few, captured again.
type Runs struct {
	Data   []byte
	Unseen uint64
	Tail   []byte
}

// RunsOf returns the bytes of s. They are valid as long as s is.
func RunsOf(s *conn.Segment) Runs {
	size := min(s.Size, math.MaxUint64-s.Offset)
	data := s.Data[:min(uint64(len(s.Data)), size)]
	rest := size - uint64(len(data))
	tail := s.Tail[uint64(len(s.Tail))-min(uint64(len(s.Tail)), rest):]
	return Runs{Data: data, Unseen: rest - uint64(len(tail)), Tail: tail}
}

// Drop leaves the first n bytes out.
func (r *Runs) Drop(n uint64) {
	k := min(n, uint64(len(r.Data)))
	r.Data, n = r.Data[k:], n-k
	k = min(n, r.Unseen)
	r.Unseen, n = r.Unseen-k, n-k
	r.Tail = r.Tail[min(n, uint64(len(r.Tail))):]
}
