package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
)

// The layout of struct event in bpf/include/event.h. All supported
// architectures are little-endian.
const (
	offTime            = 0
	offPID             = 8
	offTID             = 12
	offGoroutine       = 16
	offParentGoroutine = 24
	offSocket          = 32
	offOffset          = 40
	offSize            = 48
	offError           = 52
	offFirstSent       = 56
	offFirstReceived   = 60
	offNumber          = 64
	offDataLen         = 68
	offLocalPort       = 70
	offRemotePort      = 72
	offKind            = 74
	offFamily          = 75
	offIdentified      = 76
	offTailLen         = 77
	offFlags           = 78
	offHidden          = 79
	offTail            = 80
	offLocalAddr       = 88
	offRemoteAddr      = 104
	headerSize         = 120

	tailSize = 8

	// The flags of struct event.
	eventThinning  = 1 << 0
	eventSkipped   = 1 << 1
	eventCoroutine = 1 << 2
	eventFrames    = 1 << 3

	afUnix  = 1
	afInet  = 2
	afInet6 = 10
)

var errShort = errors.New("kernel event is shorter than its layout")

// decode reads the kernel's record into e, whose Data and Tail then point into
// record. Its Time is left on the kernel's monotonic clock.
func decode(record []byte, e *Event) error {
	if len(record) < wakeSize {
		return errShort
	}
	if Kind(record[offKind]) == Wake {
		decodeWake(record, e)
		return nil
	}
	le := binary.LittleEndian
	if len(record) < headerSize {
		return errShort
	}
	dataLen, tailLen := int(le.Uint16(record[offDataLen:])), int(record[offTailLen])
	if tailLen > tailSize || headerSize+dataLen > len(record) {
		return errShort
	}
	kind := Kind(record[offKind])
	if kind == 0 || kind >= ProcessFound {
		return fmt.Errorf("kernel event of unknown kind %d", kind)
	}
	// Field by field, because a literal would be made elsewhere and copied.
	*e = Event{}
	e.Kind = kind
	e.Time = int64(le.Uint64(record[offTime:]))
	e.Task.PID = le.Uint32(record[offPID:])
	e.Task.TID = le.Uint32(record[offTID:])
	e.Task.Goroutine = le.Uint64(record[offGoroutine:])
	e.Task.ParentGoroutine = le.Uint64(record[offParentGoroutine:])
	e.Task.Thinned = record[offFlags]&eventThinning != 0
	e.Task.Hidden = record[offHidden]
	e.Socket = le.Uint64(record[offSocket:])
	e.Offset = le.Uint64(record[offOffset:])
	e.Size = le.Uint32(record[offSize:])
	e.Errno = int32(le.Uint32(record[offError:]))
	e.Skipped = record[offFlags]&eventSkipped != 0
	e.Frames = record[offFlags]&eventFrames != 0
	e.Data = record[headerSize : headerSize+dataLen : headerSize+dataLen]
	e.Tail = record[offTail : offTail+tailLen : offTail+tailLen]
	if record[offFlags]&eventCoroutine != 0 {
		e.Task.Coroutine, e.Task.Goroutine = e.Task.Goroutine, 0
	}
	if record[offIdentified] != 0 {
		e.Identity = Identity{
			FirstSent:     le.Uint32(record[offFirstSent:]),
			FirstReceived: le.Uint32(record[offFirstReceived:]),
		}
	}
	e.Unix = record[offFamily] == afUnix
	if kind == Fork {
		e.Child = le.Uint32(record[offNumber:])
	} else if kind != Path {
		e.Task.Waits = le.Uint32(record[offNumber:])
	}
	if kind == Path {
		e.setPath(record[offNumber] != 0)
		return nil
	}
	e.Local = address(record[offFamily], record[offLocalAddr:], le.Uint16(record[offLocalPort:]))
	e.Remote = address(record[offFamily], record[offRemoteAddr:], le.Uint16(record[offRemotePort:]))
	return nil
}

// setPath makes the path of what came as data, which may lie in memory that cannot be
// written: the ring buffer's.
func (e *Event) setPath(remote bool) {
	path := e.Data
	e.Data = nil
	if len(path) > 0 && path[0] == 0 {
		path = append([]byte("@"), path[1:]...)
	} else {
		path, _, _ = bytes.Cut(path, []byte{0})
	}
	if remote {
		e.RemotePath = path
	} else {
		e.LocalPath = path
	}
}

// address returns the zero AddrPort where family is neither IPv4 nor IPv6. An
// IPv4-mapped IPv6 address is returned as the IPv4 address it is.
func address(family byte, addr []byte, port uint16) netip.AddrPort {
	switch family {
	case afInet:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(addr)), port)
	case afInet6:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(addr)).Unmap(), port)
	default:
		return netip.AddrPort{}
	}
}
