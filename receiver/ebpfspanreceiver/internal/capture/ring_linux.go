package capture

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// ring reads a BPF ring buffer (kernel/bpf/ringbuf.c, Linux 5.8) in place: records
// are neither copied nor given back one by one, and waiting occupies no thread,
// which matters at a few hundred nanoseconds an event. The data are mapped once, not
// twice in a row as usual, because all of a mapping counts as resident memory; the
// rare record that goes round the end is put together in a buffer of its own.
//
// It has one reader, and nothing may be done with it after close.
type ring struct {
	// file is the map's descriptor in the hands of Go's poller, and poll its access.
	file *os.File
	poll syscall.RawConn

	positions, memory  []byte // mappings
	consumed, produced *uint64
	data               []byte
	// position is that of the next record; what lies before it is given back by release.
	position uint64
	joined   []byte
}

const (
	recordHeader = unix.BPF_RINGBUF_HDR_SZ
	// A record is busy while the kernel writes it. Discarded ones are passed over.
	recordBusy      = uint32(1) << 31
	recordDiscarded = uint32(1) << 30
)

var errRecordTooLong = errors.New("a record of the ring buffer is longer than what was written")

func openRing(events *ebpf.Map) (r *ring, err error) {
	r = &ring{}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if err := r.openPoll(events.FD()); err != nil {
		return r, fmt.Errorf("wait for the ring buffer: %w", err)
	}
	if err := r.mapMemory(events.FD(), int(events.MaxEntries())); err != nil {
		return r, fmt.Errorf("map the ring buffer: %w", err)
	}
	return r, nil
}

// openPoll gives a descriptor of the map to Go's poller.
func (r *ring) openPoll(fd int) error {
	own, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.SetNonblock(own, true); err != nil {
		return errors.Join(err, unix.Close(own))
	}
	r.file = os.NewFile(uintptr(own), "BPF ring buffer")
	if r.poll, err = r.file.SyscallConn(); err != nil {
		return err
	}
	return r.file.SetReadDeadline(time.Time{}) // an error where it cannot be polled
}

// mapMemory maps the page with the reader's position, which is written, and the one
// with the kernel's position and the data behind it, which are not.
func (r *ring) mapMemory(fd, size int) (err error) {
	page := os.Getpagesize()
	if r.positions, err = unix.Mmap(fd, 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return err
	}
	if r.memory, err = unix.Mmap(fd, int64(page), page+size, unix.PROT_READ, unix.MAP_SHARED); err != nil {
		return err
	}
	r.consumed = (*uint64)(unsafe.Pointer(&r.positions[0]))
	r.produced = (*uint64)(unsafe.Pointer(&r.memory[0]))
	r.data = r.memory[page:]
	r.position = atomic.LoadUint64(r.consumed)
	return nil
}

// next returns the next record, nil where there is none at the moment. It is valid
// until release.
func (r *ring) next() ([]byte, error) {
	for {
		left := atomic.LoadUint64(r.produced) - r.position
		if left == 0 {
			return nil, nil
		}
		// The kernel writes this word last, when the record is complete.
		header := atomic.LoadUint32((*uint32)(unsafe.Pointer(&r.data[r.offset(r.position)])))
		if header&recordBusy != 0 {
			return nil, nil
		}
		length := uint64(header &^ (recordBusy | recordDiscarded))
		if recordHeader+length > left {
			return nil, errRecordTooLong
		}
		from := r.position + recordHeader
		r.position = from + (length+7)&^7
		if header&recordDiscarded == 0 {
			return r.bytes(from, length), nil
		}
	}
}

// offset is where a position lies in the data, whose size is a power of two.
func (r *ring) offset(position uint64) uint64 { return position & uint64(len(r.data)-1) }

func (r *ring) bytes(from, length uint64) []byte {
	begin := r.offset(from)
	end := begin + length
	if end <= uint64(len(r.data)) {
		return r.data[begin:end:end]
	}
	r.joined = append(r.joined[:0], r.data[begin:]...)
	r.joined = append(r.joined, r.data[:end-uint64(len(r.data))]...)
	return r.joined
}

// release gives back what was returned so far.
func (r *ring) release() { atomic.StoreUint64(r.consumed, r.position) }

// wait returns after the pause, or earlier when the kernel side wakes the reader.
func (r *ring) wait(pause time.Duration) error {
	if err := r.file.SetReadDeadline(time.Now().Add(pause)); err != nil {
		return err
	}
	asked := false
	err := r.poll.Read(func(uintptr) (done bool) {
		done, asked = asked, true
		return done
	})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

func (r *ring) close() error {
	var errs []error
	for _, mapping := range [][]byte{r.positions, r.memory} {
		if mapping != nil {
			errs = append(errs, unix.Munmap(mapping))
		}
	}
	if r.file != nil {
		errs = append(errs, r.file.Close())
	}
	return errors.Join(errs...)
}

// pacer chooses the pauses between two looks at the ring buffer. Each look costs some
// microseconds, and what it finds is handled in one go, during which a busy machine's
// other programs wait: so under load looks are frequent, and find about as much each.
type pacer struct {
	pause time.Duration
	// events is how many a look should find.
	events int
}

const (
	// pollInterval bounds how long an event may wait in the ring buffer. Polling
	// costs less than a wake-up per event.
	pollInterval = 20 * time.Millisecond
	// minPollInterval bounds what polling costs.
	minPollInterval = time.Millisecond
	// eventsPerPoll is how many events a look should find, in a buffer that is large enough.
	eventsPerPoll = 1024
	// roomPerEvent is how many bytes of the buffer there should be for each of them: most
	// events are half a kilobyte, and a few times as many may come.
	roomPerEvent = 2048
)

// newPacer returns a pacer for a ring buffer of so many bytes.
func newPacer(size int) pacer {
	return pacer{pause: pollInterval, events: min(eventsPerPoll, size/roomPerEvent)}
}

// next returns the pause after a look that found some events.
func (p *pacer) next(found int) time.Duration {
	wanted := time.Duration(math.MaxInt64)
	if found > 0 {
		wanted = max(p.pause, minPollInterval) * time.Duration(p.events) / time.Duration(found)
	}
	// Half of the way: a single burst is no load.
	p.pause = min(max((p.pause+min(wanted, pollInterval))/2, minPollInterval), pollInterval)
	return p.pause
}
