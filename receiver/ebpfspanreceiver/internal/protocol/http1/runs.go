package http1

import (
	"math"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
)

// runs are the bytes of a segment: some that were captured, then some that were
// not, then the last few, captured again.
type runs struct {
	data   []byte
	unseen uint64
	tail   []byte
}

func runsOf(s *conn.Segment) runs {
	size := min(s.Size, math.MaxUint64-s.Offset)
	data := s.Data[:min(uint64(len(s.Data)), size)]
	rest := size - uint64(len(data))
	tail := s.Tail[uint64(len(s.Tail))-min(uint64(len(s.Tail)), rest):]
	return runs{data: data, unseen: rest - uint64(len(tail)), tail: tail}
}

// drop leaves the first n bytes out.
func (r *runs) drop(n uint64) {
	k := min(n, uint64(len(r.data)))
	r.data, n = r.data[k:], n-k
	k = min(n, r.unseen)
	r.unseen, n = r.unseen-k, n-k
	r.tail = r.tail[min(n, uint64(len(r.tail))):]
}
