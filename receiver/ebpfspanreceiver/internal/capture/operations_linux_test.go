package capture

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A child that operates on one connection with system calls of its own. It needs nothing
// but this binary, so that it runs in the machines of `make kernels` as well.
const (
	operationVariable = "SEQLINK_CAPTURE_TEST_OPERATION"
	// portVariable is where it connects to.
	portVariable = "SEQLINK_CAPTURE_TEST_PORT"
	// atOnceVariable lets it begin before it is told to.
	atOnceVariable = "SEQLINK_CAPTURE_TEST_AT_ONCE"
	// exitUnsupported says that this kernel does not have the operation.
	exitUnsupported = 77
)

// What blocks is to be found at /proc/PID/syscall, so in the first thread.
func init() {
	if os.Getenv(operationVariable) != "" {
		runtime.LockOSThread()
	}
}

// smallWrites are more bytes than payload_size, and smallWrite is one of them.
const smallWrites = 200

func smallWrite(n int) string { return fmt.Sprintf("command %d;", n) }

// operate is the child's main function.
func operate() error {
	name := os.Getenv(operationVariable)
	if name == "inheritor" {
		return write(3, "child")
	}
	port, err := strconv.Atoi(os.Getenv(portVariable))
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	if os.Getenv(atOnceVariable) == "" {
		if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
			return err
		}
	}
	// "a, b" does one after the other.
	for part := range strings.SplitSeq(name, ", ") {
		operation, ok := operations[part]
		if !ok {
			return fmt.Errorf("no operation %q", part)
		}
		if err := operation(fd); err != nil {
			return fmt.Errorf("%s: %w", part, err)
		}
	}
	return nil
}

func operated() {
	err := operate()
	switch {
	case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM):
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitUnsupported)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

var operations = map[string]func(fd int) error{
	// They send.
	"write":  func(fd int) error { return write(fd, "abc") },
	"writev": func(fd int) error { return failure(unix.Writev(fd, pieces("ab", "", "cde"))) },
	"writev of many": func(fd int) error {
		return failure(unix.Writev(fd, pieces(strings.Split(manyPieces, "")...)))
	},
	"pwritev2": func(fd int) error { return failure(unix.Pwritev2(fd, pieces("ab", "cd"), -1, 0)) },
	"send":     func(fd int) error { return unix.Send(fd, []byte("abc"), 0) },
	"sendmsg":  func(fd int) error { return failure(unix.SendmsgBuffers(fd, pieces("a", "bc"), nil, nil, 0)) },
	"sendmmsg": func(fd int) error { return multiple(unix.SYS_SENDMMSG, fd, []byte("ab"), []byte("cde")) },
	"sendfile": sendFile,
	"splice to": func(fd int) error {
		var pipe [2]int
		if err := unix.Pipe(pipe[:]); err != nil {
			return err
		}
		if err := write(pipe[1], "piped"); err != nil {
			return err
		}
		return failure(unix.Splice(pipe[0], nil, fd, nil, 5, 0))
	},
	"duplicate": func(fd int) error {
		d, err := unix.Dup(fd)
		if err != nil {
			return err
		}
		return errors.Join(write(d, "abc"), unix.Close(d), write(fd, "d"))
	},
	"inherited": func(fd int) error {
		child := exec.Command("/proc/self/exe")
		child.Env = []string{operationVariable + "=inheritor"}
		child.ExtraFiles = []*os.File{os.NewFile(uintptr(fd), "connection")}
		if err := child.Run(); err != nil {
			return err
		}
		return write(fd, "parent")
	},
	"small writes": func(fd int) error {
		for n := range smallWrites {
			if err := write(fd, smallWrite(n)); err != nil {
				return err
			}
		}
		return nil
	},
	"io_uring send": func(fd int) error { return submit(opSend, fd, []byte("ring")) },
	"tail":          func(fd int) error { return write(fd, "tail") },
	"done":          func(fd int) error { return write(fd, "done") },
	"reconnect":     reconnect,
	"half close":    func(fd int) error { return unix.Shutdown(fd, unix.SHUT_WR) },
	"await the end": func(fd int) error { return await(fd, unix.POLLHUP) },
	"close":         unix.Close,
	"flood":         flood,

	// They receive "abcdef", or part of it.
	"read":     func(fd int) error { return failure(unix.Read(fd, make([]byte, 100))) },
	"read 2":   func(fd int) error { return failure(unix.Read(fd, make([]byte, 2))) },
	"readv":    func(fd int) error { return failure(unix.Readv(fd, [][]byte{make([]byte, 2), make([]byte, 100)})) },
	"recv":     func(fd int) error { return receive(fd, 0) },
	"recvmsg":  receiveMessage,
	"recvmmsg": func(fd int) error { return multiple(unix.SYS_RECVMMSG, fd, make([]byte, 100)) },
	"peek":     func(fd int) error { return receive(fd, unix.MSG_PEEK) },
	"nothing there": func(fd int) error {
		if err := receive(fd, unix.MSG_DONTWAIT); !errors.Is(err, unix.EAGAIN) {
			return fmt.Errorf("something was there: %w", err)
		}
		return nil
	},
	"do not wait":     func(fd int) error { return unix.SetNonblock(fd, true) },
	"await bytes":     func(fd int) error { return await(fd, unix.POLLIN) },
	"await their end": func(fd int) error { return await(fd, unix.POLLRDHUP) },
	"splice 4 from": func(fd int) error {
		var pipe [2]int
		if err := unix.Pipe(pipe[:]); err != nil {
			return err
		}
		return failure(unix.Splice(fd, nil, pipe[1], nil, 4, 0))
	},
	"io_uring recv": func(fd int) error { return submit(opRecv, fd, make([]byte, 100)) },
}

func failure[T any](_ T, err error) error { return err }

// manyPieces are the pieces of a vector, a byte each: more than the programs read at a time.
const manyPieces = "abcdefghijklmnopqrstuvwxyz"

func pieces(texts ...string) (all [][]byte) {
	for _, t := range texts {
		all = append(all, []byte(t))
	}
	return all
}

func write(fd int, text string) error { return failure(unix.Write(fd, []byte(text))) }

func receive(fd, flags int) error {
	_, _, err := unix.Recvfrom(fd, make([]byte, 100), flags)
	return err
}

func receiveMessage(fd int) error {
	_, _, _, _, err := unix.Recvmsg(fd, make([]byte, 100), nil, 0)
	return err
}

func await(fd int, events int16) error {
	return failure(unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: events}}, 10_000))
}

// reconnect gives the socket another connection, to one of its own.
func reconnect(fd int) error {
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	if err := unix.Listen(listener, 1); err != nil { // on a port of the kernel's choice
		return err
	}
	address, err := unix.Getsockname(listener)
	if err != nil {
		return err
	}
	none := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	if _, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&none)), unsafe.Sizeof(none)); errno != 0 {
		return errno
	}
	return unix.Connect(fd, &unix.SockaddrInet4{Port: address.(*unix.SockaddrInet4).Port, Addr: [4]byte{127, 0, 0, 1}})
}

func sendFile(fd int) error {
	file, err := os.CreateTemp("", "")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if _, err := io.WriteString(file, "0123456789"); err != nil {
		return err
	}
	offset := int64(2)
	return failure(unix.Sendfile(fd, int(file.Fd()), &offset, 6))
}

// multiple calls sendmmsg or recvmmsg with one message for each buffer.
func multiple(call uintptr, fd int, buffers ...[]byte) error {
	type message struct {
		header unix.Msghdr
		size   uint32
	}
	messages := make([]message, len(buffers))
	vectors := make([]unix.Iovec, len(buffers))
	for i := range buffers {
		vectors[i].Base = &buffers[i][0]
		vectors[i].SetLen(len(buffers[i]))
		messages[i].header.Iov = &vectors[i]
		messages[i].header.SetIovlen(1)
	}
	n, _, errno := unix.Syscall6(call, uintptr(fd), uintptr(unsafe.Pointer(&messages[0])), uintptr(len(messages)), 0, 0, 0)
	runtime.KeepAlive(buffers)
	if errno != 0 {
		return errno
	}
	if int(n) != len(messages) {
		return fmt.Errorf("%d of %d messages", n, len(messages))
	}
	return nil
}
