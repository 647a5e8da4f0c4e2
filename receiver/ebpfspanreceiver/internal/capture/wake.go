package capture

import "encoding/binary"

// Watcher is a source that delivers Wake events of the processes that somebody asks for.
// They cost the process time, so nobody should ask without need.
type Watcher interface {
	// WatchWakes begins or ends to deliver Wake events of a traced process: of its threads,
	// or of its goroutines where Go built its program. A child inherits the state at fork;
	// exec ends it. The error wraps errors.ErrUnsupported where the kernel or the program
	// lacks what it takes, which was told before.
	WatchWakes(pid uint32, on bool) error
}

// The layout of struct wake in bpf/include/wake.h, where it is not that of struct event.
// Its kind is at the same place.
const (
	offFutex                = 32
	offWokenGoroutine       = 40
	offWokenParentGoroutine = 48
	offWokenTID             = 56
	wakeSize                = 80
)

// decodeWake reads the kernel's record of a wake-up, of at least wakeSize bytes, into e.
// Its Time is left on the kernel's monotonic clock.
func decodeWake(record []byte, e *Event) {
	le := binary.LittleEndian
	pid := le.Uint32(record[offPID:])
	*e = Event{
		Kind: Wake,
		Time: int64(le.Uint64(record[offTime:])),
		Task: Task{
			PID:             pid,
			TID:             le.Uint32(record[offTID:]),
			Goroutine:       le.Uint64(record[offGoroutine:]),
			ParentGoroutine: le.Uint64(record[offParentGoroutine:]),
		},
		Woken: Task{
			PID:             pid,
			TID:             le.Uint32(record[offWokenTID:]),
			Goroutine:       le.Uint64(record[offWokenGoroutine:]),
			ParentGoroutine: le.Uint64(record[offWokenParentGoroutine:]),
		},
		Futex: le.Uint64(record[offFutex:]),
	}
}
