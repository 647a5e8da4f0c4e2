package dns

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// keyOf names a query over UDP at both ends: by its bytes, its size and its sender's port.
//
// Of the addresses neither is in it, because one or the other end sees another one behind
// NAT: only the sender's port is kept by what translates the receiver's address, and, unless
// it is taken, by what translates the sender's. The bytes hold the transaction id, the question
// in the spelling of its asker, and where there is EDNS(0) its options: client cookies are
// random.
//
// What two queries with the same question have in common by chance is an id of 16 bits and a port,
// of about 28,000: once in 1.8e9 pairs. Of a million with the same question some 270 pairs are
// expected, of a thousand none. As a wrong match is worse than none, a key that
// was used at one end a short time ago is not used again (recent).
func keyOf(b []byte, size uint64, port uint16) uint64 {
	var tail [10]byte
	binary.LittleEndian.PutUint64(tail[0:], size)
	binary.LittleEndian.PutUint16(tail[8:], port)
	var h xxhash.Digest
	h.Reset()
	_, _ = h.Write(b[:min(len(b), maxMessage)])
	_, _ = h.Write(tail[:])
	return max(1, h.Sum64())
}

// unmatched names what one end saw of a query, which must not be taken for another one with the
// same key.
func unmatched(key uint64, side protocol.Side, at int64) uint64 {
	var b [17]byte
	binary.LittleEndian.PutUint64(b[0:], key)
	binary.LittleEndian.PutUint64(b[8:], uint64(at))
	b[16] = byte(side)
	return max(1, xxhash.Sum64(b[:]))
}

const (
	// recentFor is for how long a key is remembered at least, in nanoseconds: longer than a
	// linker waits for the spans of a trace.
	recentFor = int64(60e9)
	// maxRecent bounds one generation of keys.
	maxRecent = 65536
)

// recent remembers keys, in two generations: the older one is dropped when the younger is
// full or old.
type recent struct {
	young, old map[uint64]struct{}
	since      int64
}

// use remembers a key, and reports whether it was used before.
func (r *recent) use(key uint64, now int64) (again bool) {
	if r.young == nil || len(r.young) >= maxRecent || now-r.since > recentFor {
		r.young, r.old, r.since = make(map[uint64]struct{}), r.young, now
	}
	_, again = r.young[key]
	if !again {
		_, again = r.old[key]
	}
	r.young[key] = struct{}{}
	return again
}
