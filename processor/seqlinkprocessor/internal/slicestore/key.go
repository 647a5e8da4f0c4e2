package slicestore

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// Key orders records by time: nanoseconds since the Unix epoch, then a sequence
// number.
type Key struct {
	Arrival int64
	Seq     uint64
}

const keyLen = 16

// Compare returns -1, 0 or 1 when k is before, equal to or after other.
func (k Key) Compare(other Key) int {
	return cmp.Or(cmp.Compare(k.Arrival, other.Arrival), cmp.Compare(k.Seq, other.Seq))
}

// Append appends the stored form of k, whose bytes sort like the keys.
func (k Key) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(k.Arrival))
	return binary.BigEndian.AppendUint64(b, k.Seq)
}

// ParseKey reads what Append wrote.
func ParseKey(b []byte) (Key, error) {
	if len(b) != keyLen {
		return Key{}, fmt.Errorf("key has %d bytes, want %d", len(b), keyLen)
	}
	return Key{Arrival: int64(binary.BigEndian.Uint64(b)), Seq: binary.BigEndian.Uint64(b[8:])}, nil
}

// String returns the stored form in hexadecimal digits, the name of a slice that
// begins with k.
func (k Key) String() string { return hex.EncodeToString(k.Append(nil)) }

func parseName(name string) (Key, error) {
	b, err := hex.DecodeString(name)
	if err != nil {
		return Key{}, fmt.Errorf("slice %q: %w", name, err)
	}
	return ParseKey(b)
}
