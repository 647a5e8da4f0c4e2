package capture

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Operations of include/uapi/linux/io_uring.h.
const (
	opSend = 26
	opRecv = 27
)

// ringParameters is struct io_uring_params.
type ringParameters struct {
	entries, completions, flags, cpu, idle, features, worker uint32
	_                                                        [3]uint32
	submission                                               struct {
		head, tail, mask, entries, flags, dropped, array, _ uint32
		_                                                   uint64
	}
	completion struct {
		head, tail, mask, entries, overflow, entriesAt, flags, _ uint32
		_                                                        uint64
	}
}

// ringEntry is struct io_uring_sqe, as far as it is used.
type ringEntry struct {
	operation, flags uint8
	_                uint16
	fd               int32
	_                uint64
	address          uint64
	size             uint32
	_                [36]byte
}

// submit does one operation on a socket through a ring of its own.
func submit(operation uint8, fd int, buffer []byte) error {
	var p ringParameters
	r, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		return errno
	}
	const protection, shared = unix.PROT_READ | unix.PROT_WRITE, unix.MAP_SHARED | unix.MAP_POPULATE
	// Since 5.4 one mapping has both rings.
	rings, err := unix.Mmap(int(r), 0, 4096, protection, shared)
	if err != nil {
		return fmt.Errorf("map the rings: %w", err)
	}
	entries, err := unix.Mmap(int(r), 0x10000000, int(unsafe.Sizeof(ringEntry{})), protection, shared)
	if err != nil {
		return fmt.Errorf("map the entries: %w", err)
	}
	at := func(offset uint32) *uint32 { return (*uint32)(unsafe.Pointer(&rings[offset])) }
	*(*ringEntry)(unsafe.Pointer(&entries[0])) = ringEntry{
		operation: operation, fd: int32(fd),
		address: uint64(uintptr(unsafe.Pointer(&buffer[0]))), size: uint32(len(buffer)),
	}
	*at(p.submission.array) = 0
	atomic.AddUint32(at(p.submission.tail), 1)
	const getEvents = 1
	_, _, errno = unix.Syscall6(unix.SYS_IO_URING_ENTER, r, 1, 1, getEvents, 0, 0)
	runtime.KeepAlive(buffer)
	if errno != 0 {
		return errno
	}
	// struct io_uring_cqe: user_data, res
	if result := int32(*at(p.completion.entriesAt + 8)); result < 0 {
		return unix.Errno(-result)
	}
	return nil
}
