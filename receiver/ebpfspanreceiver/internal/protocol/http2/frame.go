package http2

import "encoding/binary"

// kind is a frame's type: RFC 9113, section 6.
type kind uint8

const (
	frameData kind = iota
	frameHeaders
	framePriority
	frameReset
	frameSettings
	framePushPromise
	framePing
	frameGoAway
	frameWindowUpdate
	frameContinuation

	// kinds is how many there are. Others may come (section 5.5); whoever sends them
	// asks in SETTINGS whether they may, so that streams do not begin with one.
	kinds
)

// The flags of frames.
const (
	flagEndStream  = 1 << 0 // of DATA and HEADERS
	flagAck        = 1 << 0 // of SETTINGS and PING
	flagEndHeaders = 1 << 2
	flagPadded     = 1 << 3
	flagPriority   = 1 << 5
)

// allowed are the flags that each kind of frame may have.
var allowed = [kinds]uint8{
	frameData:         flagEndStream | flagPadded,
	frameHeaders:      flagEndStream | flagEndHeaders | flagPadded | flagPriority,
	frameSettings:     flagAck,
	framePushPromise:  flagEndHeaders | flagPadded,
	framePing:         flagAck,
	frameContinuation: flagEndHeaders,
}

const (
	// preface is what a client sends first: RFC 9113, section 3.4.
	preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	// headerSize is that of a frame's header in bytes.
	headerSize = 9
	// usualSize is the largest frame that may be sent unless SETTINGS allow larger ones,
	// in bytes.
	usualSize = 16384
	// prioritySize is that of the priority in a HEADERS frame.
	prioritySize = 5
)

// frame is a frame's header.
type frame struct {
	length uint32
	kind   kind
	flags  uint8
	stream uint32
}

func readFrame(b []byte) frame {
	return frame{
		length: uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2]),
		kind:   kind(b[3]),
		flags:  b[4],
		stream: binary.BigEndian.Uint32(b[5:]) &^ (1 << 31),
	}
}

func (f frame) has(flag uint8) bool { return f.flags&flag != 0 }

// carriesFields reports whether a part of a block of header fields is in the frame.
func (f frame) carriesFields() bool {
	return f.kind == frameHeaders || f.kind == framePushPromise || f.kind == frameContinuation
}

// valid reports whether a peer that keeps to RFC 9113 may send such a frame. It is what
// is asked once it is known that frames are spoken.
func (f frame) valid() bool {
	zero := f.stream == 0
	switch f.kind {
	case frameData, frameHeaders, frameContinuation, framePushPromise:
		return !zero
	case framePriority:
		return !zero && f.length == 5
	case frameReset:
		return !zero && f.length == 4
	case frameSettings:
		return zero && f.length%6 == 0 && (!f.has(flagAck) || f.length == 0)
	case framePing:
		return zero && f.length == 8
	case frameGoAway:
		return zero && f.length >= 8
	case frameWindowUpdate:
		return f.length == 4
	}
	return true
}

// isMessage reports whether a DATA frame that begins with payload is filled by one gRPC message.
func (f frame) isMessage(payload []byte) bool {
	return !f.has(flagPadded) && len(payload) >= messageHead && payload[0] <= 1 &&
		uint64(binary.BigEndian.Uint32(payload[1:]))+messageHead == uint64(f.length)
}

// fragment returns the part of a frame's payload that belongs to a block of header
// fields: without padding and priority. The payload may be cut.
func (f frame) fragment(payload []byte) []byte {
	end := int(f.length)
	begin := 0
	if f.has(flagPadded) && f.kind != frameContinuation {
		if len(payload) == 0 {
			return nil
		}
		begin, end = 1, end-int(payload[0])
	}
	switch {
	case f.kind == frameHeaders && f.has(flagPriority):
		begin += prioritySize
	case f.kind == framePushPromise:
		begin += 4
	}
	end = min(end, len(payload))
	if begin >= end {
		return nil
	}
	return payload[begin:end]
}
