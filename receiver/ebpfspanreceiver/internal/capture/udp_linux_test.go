package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/thin"
)

// datagrams are two sockets of one process: the server's is bound, the client's is not.
type datagrams struct {
	client, server int
	to             unix.Sockaddr
}

func init() {
	for name, talk := range map[string]func(d datagrams) error{
		"sendto": func(d datagrams) error {
			return errors.Join(unix.Sendto(d.client, []byte("ask"), 0, d.to), d.answer(), receiveFrom(d.client))
		},
		"connected": func(d datagrams) error {
			return errors.Join(unix.Connect(d.client, d.to),
				write(d.client, "ask"), d.answer(), failure(unix.Read(d.client, make([]byte, 100))))
		},
		"vectors": func(d datagrams) error {
			return errors.Join(unix.Connect(d.client, d.to),
				failure(unix.Writev(d.client, pieces("a", "", "sk"))), d.answer(),
				failure(unix.Readv(d.client, [][]byte{make([]byte, 2), make([]byte, 100)})))
		},
		"messages": func(d datagrams) error {
			return errors.Join(failure(unix.SendmsgBuffers(d.client, pieces("as", "k"), nil, d.to, 0)),
				d.answer(), receiveMessage(d.client))
		},
		"peeked": func(d datagrams) error {
			return errors.Join(unix.Sendto(d.client, []byte("ask"), 0, d.to), d.answer(),
				receive(d.client, unix.MSG_PEEK), receive(d.client, unix.MSG_PEEK|unix.MSG_TRUNC), receiveFrom(d.client))
		},
		"nothing there": func(d datagrams) error {
			if err := receive(d.server, unix.MSG_DONTWAIT); !errors.Is(err, unix.EAGAIN) {
				return fmt.Errorf("something was there: %w", err)
			}
			return errors.Join(unix.Sendto(d.client, []byte("ask"), 0, d.to), d.answer(), receiveFrom(d.client))
		},
		"an empty one": func(d datagrams) error {
			return errors.Join(unix.Sendto(d.client, nil, 0, d.to), failure(unix.Read(d.server, make([]byte, 9))),
				unix.Sendto(d.client, []byte("ask"), 0, d.to), d.answer(), receiveFrom(d.client))
		},
	} {
		for version, address := range map[string]unix.Sockaddr{
			"IPv4": &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}},
			"IPv6": &unix.SockaddrInet6{Addr: netip.IPv6Loopback().As16()},
		} {
			operations["udp "+name+" "+version] = func(int) error { return talkOverUDP(address, talk) }
		}
	}
	operations["udp many"] = func(int) error { return talkOverUDP(&unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}, many) }
	operations["udp cut"] = func(int) error { return talkOverUDP(&unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}, cutShort) }
	operations["udp refused"] = func(int) error { return talkOverUDP(&unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}, askNobody) }
	operations["udp on and on"] = func(int) error { return talkOverUDP(&unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}, onAndOn) }
	for name, call := range map[string]func(fd int) error{"recvfrom": receiveFrom, "recvmsg": receiveMessageFrom} {
		operations["udp blocked in "+name] = func(fd int) error { return blockInto(fd, call) }
	}
	operations["udp mapped"] = func(int) error {
		return talkOverUDP(&unix.SockaddrInet6{Addr: netip.MustParseAddr("::ffff:127.0.0.1").As16()}, mapped)
	}
}

// talkOverUDP opens the two sockets and has them talk.
func talkOverUDP(address unix.Sockaddr, talk func(datagrams) error) (err error) {
	family := unix.AF_INET
	if _, ok := address.(*unix.SockaddrInet6); ok {
		family = unix.AF_INET6
	}
	var d datagrams
	if d.client, err = unix.Socket(family, unix.SOCK_DGRAM, 0); err != nil {
		return err
	}
	if d.server, err = unix.Socket(family, unix.SOCK_DGRAM, 0); err != nil {
		return err
	}
	if err := unix.Bind(d.server, address); err != nil {
		return err
	}
	if d.to, err = unix.Getsockname(d.server); err != nil {
		return err
	}
	return errors.Join(talk(d), unix.Close(d.client), unix.Close(d.server))
}

// answer receives from the client, and sends it an answer.
func (d datagrams) answer() error {
	_, from, err := unix.Recvfrom(d.server, make([]byte, 100), 0)
	if err != nil {
		return err
	}
	return unix.Sendto(d.server, []byte("answer"), 0, from)
}

func receiveFrom(fd int) error {
	_, _, err := unix.Recvfrom(fd, make([]byte, 100), 0)
	return err
}

// many sends two datagrams in one call, and receives them in one.
func many(d datagrams) error {
	return errors.Join(unix.Connect(d.client, d.to),
		multiple(unix.SYS_SENDMMSG, d.client, []byte("first"), []byte("second")),
		multipleFrom(d.server, make([]byte, 100), make([]byte, 100)))
}

// multipleFrom calls recvmmsg with one message for each buffer, and asks who sent it.
func multipleFrom(fd int, buffers ...[]byte) error {
	type message struct {
		header unix.Msghdr
		size   uint32
	}
	messages := make([]message, len(buffers))
	vectors := make([]unix.Iovec, len(buffers))
	names := make([]unix.RawSockaddrInet4, len(buffers))
	for i := range buffers {
		vectors[i].Base = &buffers[i][0]
		vectors[i].SetLen(len(buffers[i]))
		messages[i].header.Iov = &vectors[i]
		messages[i].header.SetIovlen(1)
		messages[i].header.Name = (*byte)(unsafe.Pointer(&names[i]))
		messages[i].header.Namelen = uint32(unsafe.Sizeof(names[i]))
	}
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&messages[0])), uintptr(len(messages)), 0, 0, 0)
	runtime.KeepAlive(buffers)
	if errno != 0 || int(n) != len(messages) {
		return fmt.Errorf("%d of %d messages: %w", n, len(messages), errno)
	}
	return nil
}

// cutShort receives into too small a buffer: as much as fits, and, asked for, the whole size.
func cutShort(d datagrams) error {
	small := make([]byte, 2)
	return errors.Join(unix.Connect(d.client, d.to), write(d.client, "ask"), write(d.client, "ask"),
		failure(unix.Read(d.server, small)),
		func() error { _, _, err := unix.Recvfrom(d.server, small, unix.MSG_TRUNC); return err }())
}

// askNobody asks a port that nobody has: the next call is told.
func askNobody(d datagrams) error {
	if err := errors.Join(unix.Connect(d.client, d.to), unix.Close(d.server), write(d.client, "ask")); err != nil {
		return err
	}
	if _, err := unix.Read(d.client, make([]byte, 9)); !errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("not refused: %w", err)
	}
	if err := write(d.client, "ask"); err != nil {
		return err
	}
	if err := write(d.client, "again"); !errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("not refused: %w", err)
	}
	var err error
	d.server, err = unix.Dup(0) // talkOverUDP closes it
	return err
}

// mapped talks IPv4 over sockets of IPv6.
func mapped(d datagrams) error {
	return errors.Join(unix.Sendto(d.client, []byte("ask"), 0, d.to), d.answer(), receiveFrom(d.client))
}

// onAndOn sends one datagram, and many more when it is told to.
func onAndOn(d datagrams) error {
	err := errors.Join(unix.Connect(d.client, d.to), write(d.client, "one"), failure(os.Stdin.Read(make([]byte, 1))))
	for range 100 {
		err = errors.Join(err, write(d.client, "more"))
	}
	return err
}

// blockInto tells over a connection at which port it waits for two datagrams.
func blockInto(connection int, call func(fd int) error) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return err
	}
	return errors.Join(write(connection, strconv.Itoa(name.(*unix.SockaddrInet4).Port)), call(fd), call(fd))
}

func receiveMessageFrom(fd int) error {
	_, _, _, _, err := unix.RecvmsgBuffers(fd, pieces("12", "3456789"), nil, 0)
	return err
}

func runDatagrams(t *testing.T, k *Kernel, name string) []Event {
	events := runOperations(t, k, name+", done", func(c net.Conn) { _, _ = io.ReadAll(c) })
	return ofKind(events, SendDatagram, ReceiveDatagram)
}

// Whatever calls send and receive, each datagram is told of once at each end, with both addresses.
func TestKernelSeesDatagrams(t *testing.T) {
	k, losses := testKernel(t)
	for _, name := range []string{"sendto", "connected", "vectors", "messages", "peeked", "nothing there", "an empty one"} {
		for _, version := range []string{"IPv4", "IPv6"} {
			t.Run(name+" "+version, func(t *testing.T) {
				assertExchange(t, runDatagrams(t, k, "udp "+name+" "+version))
				assertNoLoss(t, losses)
			})
		}
	}
	t.Run("IPv4 over IPv6", func(t *testing.T) {
		events := runDatagrams(t, k, "udp mapped")
		assertExchange(t, events)
		assert.Equal(t, netip.MustParseAddr("127.0.0.1"), events[0].Remote.Addr())
	})
}

// assertExchange expects a question and its answer, at both ends.
func assertExchange(t *testing.T, events []Event) {
	require.Len(t, events, 4)
	for i, want := range []struct {
		kind Kind
		data string
	}{{SendDatagram, "ask"}, {ReceiveDatagram, "ask"}, {SendDatagram, "answer"}, {ReceiveDatagram, "answer"}} {
		// The very first send of a socket is told of at its exit: its answer cannot come before.
		assert.Equal(t, want.kind, events[i].Kind, i)
		assert.Equal(t, want.data, string(events[i].Data), i)
		assert.EqualValues(t, len(want.data), events[i].Size, i)
		assert.Zero(t, events[i].Errno, i)
	}
	client, server := events[0], events[1]
	assert.NotEqual(t, client.Socket, server.Socket)
	assert.Equal(t, client.Socket, events[3].Socket)
	assert.Equal(t, server.Socket, events[2].Socket)
	assert.NotZero(t, client.Local.Port())
	assert.Equal(t, client.Local.Port(), server.Remote.Port())
	assert.Equal(t, server.Local, client.Remote)
	assert.Equal(t, server.Remote, events[2].Remote)
	assert.Equal(t, client.Local.Port(), events[3].Local.Port())
	assert.LessOrEqual(t, client.Time, server.Time)
}

// Each datagram of sendmmsg and recvmmsg is told of by itself.
func TestKernelSeesManyDatagramsInOneCall(t *testing.T) {
	k, losses := testKernel(t)
	events := runDatagrams(t, k, "udp many")
	require.Len(t, events, 4)
	sent, received := ofKind(events, SendDatagram), ofKind(events, ReceiveDatagram)
	for i, want := range []string{"first", "second"} {
		assert.Equal(t, want, string(sent[i].Data))
		assert.Equal(t, want, string(received[i].Data))
		assert.EqualValues(t, len(want), received[i].Size)
		assert.Equal(t, sent[i].Local, received[i].Remote)
	}
	assertNoLoss(t, losses)
}

func TestKernelSeesDatagramsThatAreCut(t *testing.T) {
	k, losses := testKernel(t)
	received := ofKind(runDatagrams(t, k, "udp cut"), ReceiveDatagram)
	require.Len(t, received, 2)
	for i, size := range []uint32{2, 3} {
		assert.Equal(t, "as", string(received[i].Data))
		assert.Equal(t, size, received[i].Size)
	}
	assertNoLoss(t, losses)
}

func TestKernelSeesRefusedDatagrams(t *testing.T) {
	k, losses := testKernel(t)
	events := runDatagrams(t, k, "udp refused")
	require.Len(t, events, 5)
	for i, want := range []struct {
		kind  Kind
		errno unix.Errno
		data  string
	}{
		{SendDatagram, 0, "ask"},
		{ReceiveDatagram, unix.ECONNREFUSED, ""},
		{SendDatagram, 0, "ask"},
		{SendDatagram, 0, "again"},
		{SendDatagram, unix.ECONNREFUSED, "again"},
	} {
		assert.Equal(t, want.kind, events[i].Kind, i)
		assert.EqualValues(t, want.errno, events[i].Errno, i)
		assert.Equal(t, want.data, string(events[i].Data), i)
		assert.True(t, events[i].Remote.IsValid(), i)
	}
	assertNoLoss(t, losses)
}

// When its socket is closed, what was asked on it will not be answered.
func TestKernelReportsClosedDatagramSockets(t *testing.T) {
	k, _ := testKernel(t)
	events := runOperations(t, k, "udp sendto IPv4, done", func(c net.Conn) { _, _ = io.ReadAll(c) })
	closed := map[uint64]bool{}
	for _, e := range ofKind(events, Close) {
		closed[e.Socket] = true
	}
	for _, e := range ofKind(events, SendDatagram) {
		assert.True(t, closed[e.Socket])
	}
}

// Of a socket that nobody understands nothing comes any more, some calls after that was said.
func TestKernelCutsDatagramsOff(t *testing.T) {
	k, losses := testKernel(t)
	cut := k.CutConnections()
	o := startOperator(t, "udp on and on, done")
	require.NoError(t, k.Trace(o.pid(), nil))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first := make(chan uint64, 1)
	var more int
	handle := func(e *Event) {
		switch {
		case e == nil || e.Kind != SendDatagram:
		case string(e.Data) == "one":
			assert.NoError(t, k.Mark(e.Socket, thin.None))
			first <- e.Socket
		default:
			more++
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		assert.NoError(t, k.Run(ctx, handle))
	}()
	_, err := io.WriteString(o.in, "x")
	require.NoError(t, err)
	<-first
	_, err = io.WriteString(o.in, "x")
	require.NoError(t, err)
	_, _ = io.ReadAll(o.conn)
	o.wait(t)
	cancel()
	<-done
	drainAll(t, k, handle)
	assert.Less(t, more, 8)
	assert.Equal(t, cut+1, k.CutConnections())
	assertNoLoss(t, losses)
}

// A datagram that a thread has waited for since before its process was traced is seen, too.
func TestKernelAdoptsBlockedReceivesOfDatagrams(t *testing.T) {
	for _, call := range []string{"recvfrom", "recvmsg"} {
		t.Run(call, func(t *testing.T) {
			k, losses := testKernel(t)
			if k.Strategy() != StrategyTracepoint {
				t.Skip("the kernel's functions are not entered again")
			}
			o := startOperator(t, "udp blocked in "+call, atOnceVariable+"=1")
			port := make([]byte, 10)
			n, err := o.conn.Read(port)
			require.NoError(t, err)
			require.Eventually(t, func() bool { return blockedInReceive(o.pid()) }, 20*time.Second, time.Millisecond)
			require.NoError(t, k.Trace(o.pid(), nil))
			sender, err := net.Dial("udp", "127.0.0.1:"+string(port[:n]))
			require.NoError(t, err)
			defer sender.Close()
			received := ofKind(collect(t, k, o.pid(), func() {
				for _, text := range []string{"first", "second"} {
					_, err := io.WriteString(sender, text)
					require.NoError(t, err)
				}
				_, _ = io.ReadAll(o.conn)
			}), ReceiveDatagram)
			o.wait(t)
			require.Len(t, received, 2)
			for i, want := range []string{"first", "second"} {
				assert.Equal(t, want, string(received[i].Data))
				assert.Equal(t, sender.LocalAddr().String(), received[i].Remote.String())
			}
			assertNoLoss(t, losses)
		})
	}
}
