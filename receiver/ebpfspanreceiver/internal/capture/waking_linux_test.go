package capture

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// wakingVariable makes the test binary a child in which somebody wakes somebody: it prints
// who whom, waits for a byte on its standard input, does it, and prints "done".
const wakingVariable = "SEQLINK_CAPTURE_TEST_WAKING"

// woke is the child's main function.
func woke(name string) {
	// Threads wait with raw system calls, of which the runtime does not know.
	runtime.GOMAXPROCS(8)
	debug.SetGCPercent(-1)
	var err error
	if thread, ok := threadWakes[name]; ok {
		err = wakeThread(thread)
	} else {
		err = wakeGoroutine(goroutineWakes[name])
	}
	if errors.Is(err, unix.ENOSYS) {
		os.Exit(exitUnsupported)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("done")
	_, _ = os.Stdin.Read(make([]byte, 1)) // stays until it has been looked at
	os.Exit(0)
}

// threadWake is a way in which threads wait and are woken. The last of what the two have
// in common is 0 or the address of their futex.
type threadWake struct {
	prepare    func() (common [2]uintptr, futex uintptr, err error)
	wait, wake func(common [2]uintptr) error
}

func raw(call uintptr, arguments ...uintptr) error {
	var a [6]uintptr
	copy(a[:], arguments)
	if _, _, errno := unix.RawSyscall6(call, a[0], a[1], a[2], a[3], a[4], a[5]); errno != 0 {
		return errno
	}
	return nil
}

var (
	futexWord uint32
	oneByte   = []byte("x")
	eight     = []byte{1, 0, 0, 0, 0, 0, 0, 0}
)

func aFutex() (common [2]uintptr, futex uintptr, err error) {
	futex = uintptr(unsafe.Pointer(&futexWord))
	return [2]uintptr{futex, futex}, futex, nil
}

func twoEnds(make func() ([2]int, error)) func() ([2]uintptr, uintptr, error) {
	return func() (common [2]uintptr, futex uintptr, err error) {
		fds, err := make()
		return [2]uintptr{uintptr(fds[0]), uintptr(fds[1])}, 0, err
	}
}

func aPipe() (fds [2]int, err error) { return fds, unix.Pipe(fds[:]) }

func anEventfd() (fds [2]int, err error) {
	fd, err := unix.Eventfd(0, 0)
	return [2]int{fd, fd}, err
}

func aPair() ([2]int, error) { return unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0) }

// aConnection is of TCP, to oneself.
func aConnection() (fds [2]int, err error) {
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return fds, err
	}
	loopback := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if err := errors.Join(unix.Bind(listener, loopback), unix.Listen(listener, 1)); err != nil {
		return fds, err
	}
	address, err := unix.Getsockname(listener)
	if err != nil {
		return fds, err
	}
	if fds[1], err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); err != nil {
		return fds, err
	}
	if err := unix.Connect(fds[1], address); err != nil {
		return fds, err
	}
	fds[0], _, err = unix.Accept(listener)
	return fds, err
}

// selected returns an epoll that waits for the first of two ends.
func selected(make func() ([2]int, error)) func() ([2]int, error) {
	return func() (fds [2]int, err error) {
		if fds, err = make(); err != nil {
			return fds, err
		}
		epoll, err := unix.EpollCreate1(0)
		if err != nil {
			return fds, err
		}
		event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fds[0])}
		err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fds[0], &event)
		return [2]int{epoll, fds[1]}, err
	}
}

func readEight(c [2]uintptr) error {
	var b [8]byte
	return raw(unix.SYS_READ, c[0], uintptr(unsafe.Pointer(&b[0])), 8)
}

func wait(c [2]uintptr) error {
	var events [1]unix.EpollEvent
	return raw(unix.SYS_EPOLL_PWAIT, c[0], uintptr(unsafe.Pointer(&events[0])), 1, ^uintptr(0), 0, 8)
}

func writeByte(c [2]uintptr) error {
	return raw(unix.SYS_WRITE, c[1], uintptr(unsafe.Pointer(&oneByte[0])), 1)
}

func writeEight(c [2]uintptr) error {
	return raw(unix.SYS_WRITE, c[1], uintptr(unsafe.Pointer(&eight[0])), 8)
}

const (
	futexPrivate = 128
	futexWait    = 0
	futexWakeOne = 1
	// The calls of Linux 6.7 and the size of what they wait for.
	sysFutexWake = 454
	sysFutexWait = 455
	futex2Size32 = 2
	matchAny     = 0xffffffff
)

var threadWakes = map[string]threadWake{
	"futex": {
		aFutex,
		func(c [2]uintptr) error { return raw(unix.SYS_FUTEX, c[0], futexWait|futexPrivate, 0, 0) },
		func(c [2]uintptr) error { return raw(unix.SYS_FUTEX, c[1], futexWakeOne|futexPrivate, 1) },
	},
	"futex_wake": {
		aFutex,
		func(c [2]uintptr) error {
			return raw(sysFutexWait, c[0], 0, matchAny, futex2Size32|futexPrivate, 0, 0)
		},
		func(c [2]uintptr) error { return raw(sysFutexWake, c[1], matchAny, 1, futex2Size32|futexPrivate) },
	},
	"eventfd":        {twoEnds(anEventfd), readEight, writeEight},
	"eventfd, epoll": {twoEnds(selected(anEventfd)), wait, writeEight},
	"pipe":           {twoEnds(aPipe), readEight, writeByte},
	"pipe, epoll":    {twoEnds(selected(aPipe)), wait, writeByte},
	"socketpair":     {twoEnds(aPair), readEight, writeByte},
	"socketpair, send": {
		twoEnds(selected(aPair)), wait,
		func(c [2]uintptr) error {
			return raw(unix.SYS_SENDTO, c[1], uintptr(unsafe.Pointer(&oneByte[0])), 1, 0, 0, 0)
		},
	},
	// What arrives over the network, or from others, is no deed of a thread here.
	"connection": {twoEnds(selected(aConnection)), wait, writeByte},
	"other":      {func() (c [2]uintptr, _ uintptr, _ error) { return c, 0, nil }, readEight, func([2]uintptr) error { return nil }},
}

func wakeThread(w threadWake) error {
	common, futex, err := w.prepare()
	if err != nil {
		return err
	}
	waiter, woken := make(chan int), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		waiter <- unix.Gettid()
		woken <- w.wait(common)
		select {} // makes no noise any more
	}()
	tid := <-waiter
	if err := untilAsleep(tid); err != nil {
		return err
	}
	if common == [2]uintptr{} { // the standard input wakes it
		fmt.Println(0, tid, 0)
		return <-woken
	}
	runtime.LockOSThread()
	fmt.Println(unix.Gettid(), tid, futex)
	if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
		return err
	}
	if err := w.wake(common); err != nil {
		return err
	}
	return <-woken
}

// untilAsleep waits until a thread waits in a system call other than Go's own.
func untilAsleep(tid int) error {
	for range 10_000 {
		time.Sleep(time.Millisecond)
		stat, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/stat", tid))
		if err != nil {
			return err
		}
		if i := bytes.LastIndexByte(stat, ')'); bytes.HasPrefix(stat[i+1:], []byte(" S ")) {
			return nil
		}
	}
	return errors.New("the thread does not wait")
}

// goroutineWake returns how goroutines wait and are woken.
type goroutineWake func() (wait, wake func())

var goroutineWakes = map[string]goroutineWake{
	"channel": func() (wait, wake func()) {
		c := make(chan int)
		return func() { <-c }, func() { c <- 1 }
	},
	"sender": func() (wait, wake func()) {
		c := make(chan int)
		return func() { c <- 1 }, func() { <-c }
	},
	"full channel": func() (wait, wake func()) {
		c := make(chan int, 1)
		c <- 1
		return func() { c <- 1 }, func() { <-c }
	},
	"close": func() (wait, wake func()) {
		c := make(chan int)
		return func() { <-c }, func() { close(c) }
	},
	"select": func() (wait, wake func()) {
		a, b := make(chan int), make(chan int)
		return func() {
			select {
			case <-a:
			case b <- 1:
			}
		}, func() { a <- 1 }
	},
	"WaitGroup": func() (wait, wake func()) {
		var w sync.WaitGroup
		w.Add(1)
		return w.Wait, w.Done
	},
	"Mutex": func() (wait, wake func()) {
		var m sync.Mutex
		m.Lock()
		return m.Lock, m.Unlock
	},
	"RWMutex": func() (wait, wake func()) {
		var m sync.RWMutex
		m.Lock()
		return m.RLock, m.Unlock
	},
	"Cond": func() (wait, wake func()) {
		c := sync.NewCond(&sync.Mutex{})
		return func() { c.L.Lock(); c.Wait() }, c.Signal
	},
	// Nobody's deeds.
	"timer": func() (wait, wake func()) {
		return func() { time.Sleep(200 * time.Millisecond) }, func() {}
	},
	"poller": func() (wait, wake func()) {
		reader, writer, err := os.Pipe()
		if err != nil {
			panic(err)
		}
		return func() { _, _ = reader.Read(make([]byte, 1)) }, func() { _, _ = writer.WriteString("x") }
	},
}

func wakeGoroutine(w goroutineWake) error {
	doWait, doWake := w()
	ids, start, done := make(chan string), make(chan struct{}), make(chan struct{})
	go func() {
		ids <- goid()
		doWait()
		close(done)
	}()
	woken := <-ids
	go func() {
		ids <- goid()
		<-start
		doWake()
	}()
	waker := <-ids
	if err := untilParked(woken); err != nil {
		return err
	}
	fmt.Println(waker, woken, 0)
	if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
		return err
	}
	close(start)
	<-done
	return nil
}

var stackHeader = regexp.MustCompile(`^goroutine (\d+) `)

// goid returns the calling goroutine's id.
func goid() string {
	text := make([]byte, 64)
	return string(stackHeader.FindSubmatch(text[:runtime.Stack(text, false)])[1])
}

// untilParked waits until a goroutine waits for something.
func untilParked(id string) error {
	parked := regexp.MustCompile(`(?m)^goroutine ` + id + ` \[(chan|select|sync|sema|sleep|IO wait)`)
	text := make([]byte, 1<<16)
	for range 10_000 {
		if parked.Match(text[:runtime.Stack(text, true)]) {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
	return errors.New("goroutine " + id + " does not wait:\n" + string(text))
}

// number reads what a child prints of itself.
func number(text string) uint64 {
	n, _ := strconv.ParseUint(text, 10, 64)
	return n
}
