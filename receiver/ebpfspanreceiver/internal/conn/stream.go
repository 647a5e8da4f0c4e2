package conn

import "github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"

// tailSize is how many of a segment's last bytes are kept.
const tailSize = 8

// stream is one direction of a connection.
type stream struct {
	// begun is true once a byte was seen; next is then the offset after the last.
	begun bool
	next  uint64
	ended bool
}

// advance cuts off what was delivered before (a send that the kernel took in part
// is announced again) and returns the rest of the event's bytes; ok is false where
// nothing new is left.
func (s *stream) advance(e *capture.Event) (offset, size uint64, data []byte, ok bool) {
	offset, size, data = e.Offset, uint64(e.Size), e.Data
	end := offset + size
	if s.begun && offset < s.next {
		known := s.next - offset
		if known >= size {
			return 0, 0, nil, false
		}
		offset, size = s.next, size-known
		data = data[min(known, uint64(len(data))):]
	}
	if size == 0 {
		return 0, 0, nil, false
	}
	s.begun, s.next = true, end
	return offset, size, data, true
}

// tail returns the last bytes of a segment whose captured bytes are data.
func tail(e *capture.Event, size uint64, data []byte) []byte {
	if uint64(len(data)) == size {
		return data[max(0, len(data)-tailSize):]
	}
	return e.Tail[max(0, len(e.Tail)-int(min(size, tailSize))):]
}
