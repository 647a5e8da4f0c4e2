package mysql

import (
	"encoding/binary"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database/packet"
)

const (
	// headerSize is that of a packet's header: three bytes of its length, one of its number.
	headerSize = 4
	// maxLength is the length of a packet that the next one goes on with.
	maxLength = 1<<24 - 1
)

// lengthOf returns the length in a packet's header.
func lengthOf(header []byte) int {
	return int(header[0]) | int(header[1])<<8 | int(header[2])<<16
}

// sequence is the number of a message's first packet: 0 begins a command.
func sequence(st *packet.Stream) byte { return st.Header[headerSize-1] }

// lastSequence is the number of a message's last packet. They go on from 255 with 0.
func lastSequence(st *packet.Stream) byte { return sequence(st) + byte(st.Length/maxLength) }

// number reads an integer of variable length (Protocol::LengthEncodedInteger) at the beginning of b. It
// is not ok where there is none, or not all of it.
func number(b []byte) (n uint64, rest []byte, ok bool) {
	if len(b) == 0 {
		return 0, nil, false
	}
	var size int
	switch b[0] {
	case 0xfb, 0xff:
		return 0, nil, false
	case 0xfc:
		size = 2
	case 0xfd:
		size = 3
	case 0xfe:
		size = 8
	default:
		return uint64(b[0]), b[1:], true
	}
	if len(b) < 1+size {
		return 0, nil, false
	}
	var wide [8]byte
	copy(wide[:], b[1:1+size])
	return binary.LittleEndian.Uint64(wide[:]), b[1+size:], true
}

// text cuts the text up to the next NUL off b. It is not ok where there is none.
func text(b []byte) (s string, rest []byte, ok bool) {
	for i, c := range b {
		if c == 0 {
			return string(b[:i]), b[i+1:], true
		}
	}
	return "", nil, false
}
