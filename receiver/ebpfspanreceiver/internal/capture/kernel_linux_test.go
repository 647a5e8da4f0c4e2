package capture

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// childVariable makes the test binary act as the traced program.
const childVariable = "SEQLINK_CAPTURE_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		traced()
		return
	}
	if os.Getenv(operationVariable) != "" {
		operated()
	}
	if name := os.Getenv(wakingVariable); name != "" {
		woke(name)
	}
	code := m.Run()
	if shared != nil {
		if err := shared.Close(); err != nil {
			fmt.Println(err)
			code = 1
		}
	}
	os.Exit(code)
}

// traced is the program under observation: for each line on its standard input
// it sends one request from a client to a server of its own, over one connection,
// and prints when it has the answer.
func traced() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		buffer := make([]byte, 4096)
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				_ = conn.Close()
				return
			}
			_, _ = conn.Write([]byte(strings.ToUpper(string(buffer[:n]))))
		}
	}()
	input := bufio.NewScanner(os.Stdin)
	var client net.Conn
	for input.Scan() {
		if client == nil {
			if client, err = net.Dial("tcp", listener.Addr().String()); err != nil {
				fmt.Println(err)
				return
			}
		}
		_, _ = io.WriteString(client, input.Text())
		answer := make([]byte, len(input.Text()))
		_, _ = io.ReadFull(client, answer)
		fmt.Println(string(answer))
	}
	if client != nil {
		_ = client.Close()
	}
}

type child struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func startChild(t *testing.T) *child {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"=1")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	c := &child{t, cmd, in, bufio.NewScanner(out)}
	t.Cleanup(c.stop)
	return c
}

func (c *child) pid() uint32 { return uint32(c.cmd.Process.Pid) }

func (c *child) ask(request string) {
	_, err := io.WriteString(c.in, request+"\n")
	require.NoError(c.t, err)
	require.True(c.t, c.out.Scan())
	require.Equal(c.t, strings.ToUpper(request), c.out.Text())
}

func (c *child) stop() {
	_ = c.in.Close()
	_ = c.cmd.Wait()
}

// What is chosen without being asked for works, and its name is known.
func TestKernelChoosesAStrategy(t *testing.T) {
	k, err := NewKernel(KernelOptions{RingBufferSize: 64 << 10, Losses: &loss.Counts{}, Logger: zap.NewNop()})
	require.NoError(t, err)
	defer func() { require.NoError(t, k.Close()) }()
	assert.Contains(t, Strategies()[1:], k.Strategy())
	t.Log("auto takes", k.Strategy())
}

func TestKernelSeesBothEndsOfAConnection(t *testing.T) {
	c := startChild(t)
	var losses loss.Counts
	k := newKernel(t, &losses)
	require.NoError(t, k.Trace(c.pid(), nil))

	before := time.Now().UnixNano()
	events := collect(t, k, c.pid(), func() { c.ask("one"); c.ask("three") })

	require.Len(t, ofKind(events, Connect), 1)
	require.Len(t, ofKind(events, Accept), 1)
	moves := ofKind(events, Send, Sent, Receive)
	require.Len(t, moves, 8, "two requests, two answers, each seen at both ends")
	for i, want := range []struct {
		kind   Kind
		data   string
		offset uint64
	}{
		{Send, "one", 0},
		{Receive, "one", 0},
		{Send, "ONE", 0},
		{Receive, "ONE", 0},
		{Send, "three", 3},
		{Receive, "three", 3},
		{Send, "THREE", 3},
		{Receive, "THREE", 3},
	} {
		got := moves[i]
		assert.Equal(t, want.kind, got.Kind, i)
		assert.Equal(t, want.data, string(got.Data), i)
		assert.Equal(t, want.offset, got.Offset, i)
		assert.Equal(t, uint32(len(want.data)), got.Size, i)
		assert.True(t, got.Local.IsValid() && got.Remote.IsValid(), i)
		assert.Greater(t, got.Time, before-int64(time.Millisecond), i)
		assert.Less(t, got.Time, time.Now().UnixNano(), i)
	}
	client, server := moves[0].Identity, moves[1].Identity
	assert.NotZero(t, client)
	assert.Equal(t, Identity{client.FirstReceived, client.FirstSent}, server, "both ends hold the same numbers")
	losses.Each(func(r loss.Reason, n int64) { assert.Zero(t, n, r) })
}

func TestKernelIdentifiesOlderConnections(t *testing.T) {
	c := startChild(t)
	c.ask("before the agent")
	var losses loss.Counts
	k := newKernel(t, &losses)
	require.NoError(t, k.Trace(c.pid(), nil))

	moves := ofKind(collect(t, k, c.pid(), func() { c.ask("after") }), Send, Receive)
	require.Len(t, moves, 4)
	for i, m := range moves {
		assert.Equal(t, uint64(len("before the agent")), m.Offset, i)
	}
	assert.Equal(t, moves[0].Identity.FirstSent, moves[1].Identity.FirstReceived)
	assert.Equal(t, moves[0].Identity.FirstReceived, moves[1].Identity.FirstSent)
}

func isSocket(pid uint32, fd uint64) bool {
	target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, fd))
	return err == nil && strings.HasPrefix(target, "socket:")
}

func TestKernelLeavesOthersAlone(t *testing.T) {
	traced, other := startChild(t), startChild(t)
	k := newKernel(t, &loss.Counts{})
	require.NoError(t, k.Trace(traced.pid(), nil))

	assert.Empty(t, collect(t, k, other.pid(), func() { other.ask("unseen"); traced.ask("seen") }))
	require.NoError(t, k.Ignore(traced.pid()))
	assert.Empty(t, collect(t, k, traced.pid(), func() { traced.ask("unseen as well") }))
}

func TestKernelReportsCloseAndExit(t *testing.T) {
	c := startChild(t)
	k := newKernel(t, &loss.Counts{})
	require.NoError(t, k.Trace(c.pid(), nil))

	events := collect(t, k, c.pid(), func() { c.ask("x"); c.stop() })
	assert.NotEmpty(t, ofKind(events, Close))
	assert.Len(t, ofKind(events, Exit), 1)
}

// TCP's own end of a connection comes when its holder closes the socket, after the bytes that
// were still to be read.
func TestKernelReportsTheEndAfterTheBytes(t *testing.T) {
	k, losses := testKernel(t)
	end := func(conn net.Conn) error { return failure(io.ReadAll(conn)) }
	abort := func(conn net.Conn) error { return conn.(*net.TCPConn).SetLinger(0) }
	for name, tt := range map[string]struct {
		operations string
		end        func(net.Conn) error
		want       unix.Errno
	}{
		"both ended":   {"write, half close, await the end, read, close", end, 0},
		"reset":        {"write, await the end, read, close", abort, unix.ECONNRESET},
		"reset, alone": {"write, read, await the end, close", abort, unix.ECONNRESET},
	} {
		t.Run(name, func(t *testing.T) {
			events := runOperations(t, k, tt.operations, func(conn net.Conn) {
				require.NoError(t, failure(io.ReadFull(conn, make([]byte, 3))))
				require.NoError(t, failure(io.WriteString(conn, "abcdef")))
				require.NoError(t, tt.end(conn))
				require.NoError(t, conn.Close())
			})
			_, data := received(t, events)
			assert.Equal(t, "abcdef", data)
			closes := ofKind(events, Receive, Close)[1:]
			require.Len(t, closes, 1)
			assert.Equal(t, Close, closes[0].Kind)
			assert.EqualValues(t, tt.want, closes[0].Errno)
			assertNoLoss(t, losses)
		})
	}
}

// A socket that gets another connection is another one from its first byte on.
func TestKernelTellsConnectionsOfOneSocketApart(t *testing.T) {
	k, losses := testKernel(t)
	events := ofKind(runOperations(t, k, "write, reconnect, write", func(conn net.Conn) { _, _ = io.ReadAll(conn) }), Send)
	require.Len(t, events, 2)
	assert.Equal(t, events[0].Socket, events[1].Socket)
	assert.NotEqual(t, events[0].Identity, events[1].Identity)
	for _, e := range events {
		assert.Zero(t, e.Offset)
		assert.Equal(t, "abc", string(e.Data))
	}
	assertNoLoss(t, losses)
}

func TestKernelCountsWhatTheRingBufferCannotHold(t *testing.T) {
	c := startChild(t)
	var losses loss.Counts
	k := ownKernel(t, &losses, 64<<10)
	require.NoError(t, k.Trace(c.pid(), nil))

	const asked = 200
	for range asked { // nobody reads meanwhile
		c.ask(strings.Repeat("x", 500))
	}
	moves := ofKind(collect(t, k, c.pid(), func() {}), Send, Receive)
	lost := losses.Get(loss.RingBufferFull)
	assert.Positive(t, lost)
	// Programs that other processes start meanwhile may be among the lost.
	assert.Less(t, len(moves), 4*asked)
	assert.GreaterOrEqual(t, int64(len(moves))+lost, int64(4*asked), "what is not here was counted")
}

// A reader that is slower than its events must still end when it is told to.
func TestKernelEndsUnderLoad(t *testing.T) {
	c := startChild(t)
	k := newKernel(t, &loss.Counts{})
	require.NoError(t, k.Trace(c.pid(), nil))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error)
	started := make(chan struct{}, 1)
	go func() {
		done <- k.Run(ctx, func(e *Event) {
			select {
			case started <- struct{}{}:
			default:
			}
			if e != nil {
				time.Sleep(100 * time.Microsecond)
			}
		})
	}()
	<-started
	for asked := 0; ; asked++ {
		c.ask("more")
		if asked == 200 {
			cancel()
		}
		select {
		case err := <-done:
			require.NoError(t, err)
			return
		default:
		}
		require.Less(t, asked, 1_000_000, "it never ends")
	}
}

func TestKernelCarriesLongPayloadsInPart(t *testing.T) {
	c := startChild(t)
	k := newKernel(t, &loss.Counts{})
	require.NoError(t, k.Trace(c.pid(), nil))

	long := strings.Repeat("a", 1500) + "the-tail"
	moves := ofKind(collect(t, k, c.pid(), func() { c.ask(long) }), Send, Sent, Receive)
	require.GreaterOrEqual(t, len(moves), 3)
	send, rest := moves[0], ofKind(moves, Sent)[0]
	assert.Equal(t, long[:1024], string(send.Data))
	assert.Equal(t, uint32(1024), send.Size, "what the entry announced")
	assert.Equal(t, uint32(len(long)), rest.Size, "what the exit saw")
	assert.Equal(t, "the-tail", string(rest.Tail))
	receive := ofKind(moves, Receive)[0]
	assert.Equal(t, uint32(len(long)), receive.Size)
	assert.Equal(t, "the-tail", string(receive.Tail))
}
