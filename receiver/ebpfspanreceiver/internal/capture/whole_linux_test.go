package capture

import (
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/thin"
)

const (
	preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	// longData and longDataHead are what bpf/include/frames.h calls so.
	longData, longDataHead = 2048, 16
	// wholeMax is bpf/include/whole.h's.
	wholeMax = 64 << 10
)

// frames are what the client of an HTTP/2 connection sends, and parts are its frames' headers and payloads.
// needed tells which of the bytes are not in the body of a long DATA frame.
func frames() (text string, parts []string, needed []bool) {
	random := rand.New(rand.NewPCG(1, 2))
	add := func(part string, need bool) {
		parts = append(parts, part)
		for i := range len(part) {
			needed = append(needed, need || i < longDataHead)
		}
	}
	add(preface, true)
	for i := range 200 {
		kind, length := byte(1), 20+random.IntN(100)
		if i%2 == 0 {
			sizes := []int{0, 1, 60, 1000, longData, longData + 1, 16384, 50000}
			kind, length = 0, sizes[random.IntN(len(sizes))]
		}
		if i == 101 {
			length = 20000 // of header fields
		}
		add(string([]byte{byte(length >> 16), byte(length >> 8), byte(length), kind, 0, 0, 0, 0, byte(1 + 2*i)}), true)
		payload := make([]byte, length)
		for j := range payload {
			payload[j] = byte(random.Uint32())
		}
		add(string(payload), kind != 0 || length <= longData)
	}
	return strings.Join(parts, ""), parts, needed
}

// cuts calls f with pieces of text of many lengths.
func cuts(text string, f func(part string) error) error {
	random := rand.New(rand.NewPCG(3, 4))
	for len(text) > 0 {
		n := min(len(text), 1+random.IntN(1<<random.IntN(16)))
		if err := f(text[:n]); err != nil {
			return err
		}
		text = text[n:]
	}
	return nil
}

// writePatiently writes to a socket that does not block, and has little room.
func writePatiently(fd int, text string) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 8192); err != nil {
		return err
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return err
	}
	for len(text) > 0 {
		n, err := unix.Write(fd, []byte(text))
		switch err {
		case nil:
			text = text[n:]
		case unix.EAGAIN:
			if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, -1); err != nil && err != unix.EINTR {
				return err
			}
		default:
			return err
		}
	}
	return nil
}

// readInto reads until as many bytes came as the client's frames are, with buffers of many lengths.
func readInto(read func(n int) (int, error)) error {
	text, _, _ := frames()
	for left := len(text); left > 0; {
		random := rand.New(rand.NewPCG(5, uint64(left)))
		n, err := read(1 + random.IntN(1<<random.IntN(17)))
		if err != nil {
			return err
		}
		if n == 0 {
			return io.ErrUnexpectedEOF
		}
		left -= n
	}
	return nil
}

func init() {
	for name, operation := range map[string]func(fd int) error{
		"frames: write": func(fd int) error {
			text, _, _ := frames()
			return write(fd, text)
		},
		"frames: writev": func(fd int) error {
			_, parts, _ := frames()
			for len(parts) > 0 {
				n := min(len(parts), 300)
				if _, err := unix.Writev(fd, pieces(parts[:n]...)); err != nil {
					return err
				}
				parts = parts[n:]
			}
			return nil
		},
		"frames: cut": func(fd int) error {
			text, _, _ := frames()
			return cuts(text, func(part string) error { return write(fd, part) })
		},
		"frames: no room": func(fd int) error {
			text, _, _ := frames()
			return writePatiently(fd, text)
		},
		"frames: none": func(fd int) error { return write(fd, preface+strings.Repeat("x", 100000)+"the-tail") },
		"frames: read": func(fd int) error {
			return readInto(func(n int) (int, error) { return unix.Read(fd, make([]byte, n)) })
		},
		"frames: readv": func(fd int) error {
			return readInto(func(n int) (int, error) {
				return unix.Readv(fd, [][]byte{make([]byte, min(n, 9)), make([]byte, n)})
			})
		},
	} {
		operations[name] = operation
	}
}

// known puts together what events tell of a stream of so many bytes: the bytes, and which are known.
func known(t *testing.T, size int, events []Event) (text []byte, is []bool) {
	text, is = make([]byte, size), make([]bool, size)
	end := 0
	for _, e := range events {
		require.LessOrEqual(t, int(e.Offset), end, "a piece is missing")
		require.LessOrEqual(t, len(e.Data), int(e.Size))
		end = max(end, int(e.Offset)+int(e.Size))
		require.LessOrEqual(t, end, size)
		copy(text[e.Offset:], e.Data)
		for i := range e.Data {
			is[int(e.Offset)+i] = true
		}
	}
	require.Equal(t, size, end)
	return text, is
}

// assertFrames checks that a frame begins wherever an event says so, and that some say so.
func assertFrames(t *testing.T, text string, events []Event) {
	begins := make(map[uint64]bool)
	for at := len(preface); at < len(text); at += 9 + int(text[at])<<16 + int(text[at+1])<<8 + int(text[at+2]) {
		begins[uint64(at)] = true
	}
	said := 0
	for _, e := range events {
		if e.Frames {
			require.True(t, begins[e.Offset], "no frame begins at %d", e.Offset)
			said++
		}
	}
	assert.Greater(t, said, 10)
}

// Of HTTP/2 all is delivered but for the bodies of long DATA frames, in whatever pieces it is moved.
func TestKernelFollowsFrames(t *testing.T) {
	text, _, needed := frames()
	for name, kinds := range map[string][]Kind{
		"frames: write":   {Send, Sent},
		"frames: writev":  {Send, Sent},
		"frames: cut":     {Send, Sent},
		"frames: no room": {Send, Sent},
		"frames: read":    {Receive},
		"frames: readv":   {Receive},
	} {
		t.Run(strings.TrimPrefix(name, "frames: "), func(t *testing.T) {
			k, losses := testKernel(t)
			events := ofKind(runOperations(t, k, name, func(c net.Conn) {
				if kinds[0] == Receive {
					_, _ = io.WriteString(c, text)
				}
				_, _ = io.ReadAll(c) // until the child ends
			}), kinds...)
			require.NotEmpty(t, events)
			if kinds[0] == Receive && events[len(events)-1].Size == 0 {
				events = events[:len(events)-1]
			}
			assertFrames(t, text, events)
			bytes, is := known(t, len(text), events)
			want, carried := 0, 0
			for i := range len(text) {
				if needed[i] {
					want++
					require.True(t, is[i], "byte %d is needed", i)
				}
				if is[i] {
					require.Equal(t, text[i], bytes[i], "byte %d", i)
					carried++
				}
			}
			// The last bytes of a call may be among those that are known.
			assert.LessOrEqual(t, carried, want)
			assertNoLoss(t, losses)
		})
	}
}

// What follows on the preface and is no frames is delivered as far as there is room.
func TestKernelFindsNoFrames(t *testing.T) {
	k, losses := testKernel(t)
	events := ofKind(runOperations(t, k, "frames: none", func(c net.Conn) { _, _ = io.ReadAll(c) }), Send, Sent)
	_, is := known(t, len(preface)+100000+8, events)
	for i := range wholeMax {
		require.True(t, is[i], "byte %d", i)
	}
	assert.False(t, is[wholeMax+1024])
	assert.Equal(t, "the-tail", string(events[len(events)-1].Tail))
	assertNoLoss(t, losses)
}

// Where user space asks for all bytes they come in as many events as they need.
func TestKernelCarriesLongPayloadsWhole(t *testing.T) {
	c := startChild(t)
	k := newKernel(t, &loss.Counts{})
	require.NoError(t, k.Trace(c.pid(), nil))
	first := ofKind(collect(t, k, c.pid(), func() { c.ask("hello") }), Send)
	require.NotEmpty(t, first)
	require.NoError(t, k.Mark(first[0].Socket, thin.Whole))
	collect(t, k, c.pid(), func() {
		for range 8 {
			c.ask("hello")
		}
	})
	long := strings.Repeat("0123456789abcdef", 3750)
	events := ofKind(collect(t, k, c.pid(), func() { c.ask(long) }), Send)
	text := ""
	for _, e := range events {
		if e.Socket == first[0].Socket {
			assert.Len(t, e.Data, int(e.Size))
			text += string(e.Data)
		}
	}
	assert.Equal(t, long, text)
}
