package protocol

import (
	"math"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
)

// Move notes that n more bytes of the message, or none but some of its head, were moved.
func (m *Message) Move(n uint64, at conn.Origin) {
	m.Size = Saturate(m.Size, n)
	m.Last = NotBefore(at, m.Last.Time)
}

// NotBefore returns o with its time put right where it is before least. The
// clocks of two processors may differ a little.
func NotBefore(o conn.Origin, least int64) conn.Origin {
	o.Time = max(o.Time, least)
	return o
}

// Saturate returns n+more, or the largest number where that is too much.
func Saturate(n int64, more uint64) int64 {
	if more > uint64(math.MaxInt64-n) {
		return math.MaxInt64
	}
	return n + int64(more)
}
