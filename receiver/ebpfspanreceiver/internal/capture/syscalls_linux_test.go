package capture

import (
	"errors"
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

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// operator is a child that is connected to the test.
type operator struct {
	cmd  *exec.Cmd
	in   io.WriteCloser
	conn net.Conn
}

func startOperator(t *testing.T, name string, environment ...string) *operator {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	o := &operator{cmd: exec.Command("/proc/self/exe")}
	o.cmd.Env = append(append(os.Environ(), environment...), operationVariable+"="+name,
		fmt.Sprintf("%s=%d", portVariable, listener.Addr().(*net.TCPAddr).Port))
	o.cmd.Stderr = os.Stderr
	o.in, err = o.cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, o.cmd.Start())
	o.conn, err = listener.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = o.conn.Close() })
	return o
}

func (o *operator) pid() uint32 { return uint32(o.cmd.Process.Pid) }

// wait ends the test where this kernel does not have the operation.
func (o *operator) wait(t *testing.T) {
	err := o.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == exitUnsupported {
		t.Skip("this kernel does not let it")
	}
	require.NoError(t, err)
}

// testKernel returns a kernel source for all parts of a test.
func testKernel(t *testing.T) (*Kernel, *loss.Counts) {
	var losses loss.Counts
	k := newKernel(t, &losses)
	return k, &losses
}

// runOperations traces a child that does things with a connection to peer's other end.
func runOperations(t *testing.T, k *Kernel, name string, peer func(net.Conn)) []Event {
	o := startOperator(t, name)
	require.NoError(t, k.Trace(o.pid(), nil))
	events := collect(t, k, o.pid(), func() {
		_, err := io.WriteString(o.in, "x")
		require.NoError(t, err)
		peer(o.conn)
	})
	o.wait(t)
	return events
}

func assertNoLoss(t *testing.T, losses *loss.Counts) {
	losses.Each(func(r loss.Reason, n int64) { assert.Zero(t, n, r) })
}

// sent adds up what the events say of one stream from a place on: where it ends, and what
// is known of its bytes.
func sent(t *testing.T, begin uint64, events []Event) (end uint64, data string) {
	end = begin
	for _, e := range ofKind(events, Send, Sent) {
		assert.GreaterOrEqual(t, e.Offset, begin)
		assert.LessOrEqual(t, e.Offset, end, "no byte is left out")
		end = max(end, e.Offset+uint64(e.Size))
		data += string(e.Data)
	}
	return end, data
}

// received adds up what the events say of one stream: where it ends, and what is known of
// its bytes.
func received(t *testing.T, events []Event) (end uint64, data string) {
	for _, e := range ofKind(events, Receive) {
		assert.Equal(t, end, e.Offset)
		end += uint64(e.Size)
		data += string(e.Data)
	}
	return end, data
}

// Whatever call sends, the bytes have their places.
func TestKernelSeesEverySendingCall(t *testing.T) {
	k, losses := testKernel(t)
	for name, tt := range map[string]struct {
		// begin and end are the places of the first byte and after the last.
		begin, end uint64
		data       string
	}{
		"write":                 {0, 3, "abc"},
		"writev":                {0, 5, "abcde"},
		"writev of many":        {0, 26, manyPieces},
		"pwritev2":              {0, 4, "abcd"},
		"send":                  {0, 3, "abc"},
		"sendmsg":               {0, 3, "abc"},
		"write, sendfile, tail": {0, 13, "abctail"},
		"splice to, write":      {0, 8, "abc"},
		"duplicate":             {0, 4, "abcd"},
		"inherited":             {5, 11, "parent"},
	} {
		t.Run(name, func(t *testing.T) {
			events := runOperations(t, k, name, func(conn net.Conn) { _, _ = io.ReadAll(conn) })
			end, data := sent(t, tt.begin, events)
			assert.Equal(t, tt.end, end)
			assert.Equal(t, tt.data, data)
			assertNoLoss(t, losses)
		})
	}
}

// Of several messages in one call all are counted; system calls show the bytes of the first.
func TestKernelSeesSendmmsg(t *testing.T) {
	k, _ := testKernel(t)
	events := runOperations(t, k, "sendmmsg, write", func(conn net.Conn) { _, _ = io.ReadAll(conn) })
	end, data := sent(t, 0, events)
	assert.EqualValues(t, 8, end)
	if k.Strategy() == StrategyTracepoint {
		assert.Equal(t, "ababc", data)
	} else {
		assert.Equal(t, "abcdeabc", data)
	}
}

func writeAbcdef(t *testing.T) func(net.Conn) {
	return func(conn net.Conn) {
		_, err := io.WriteString(conn, "abcdef")
		require.NoError(t, err)
		_, _ = io.ReadAll(conn)
	}
}

// Whatever call receives, the bytes have their places; a look at them is no receive.
func TestKernelSeesEveryReceivingCall(t *testing.T) {
	k, losses := testKernel(t)
	for name, tt := range map[string]struct {
		end  uint64
		data string
	}{
		"read":                  {6, "abcdef"},
		"readv":                 {6, "abcdef"},
		"recv":                  {6, "abcdef"},
		"recvmsg":               {6, "abcdef"},
		"recvmmsg":              {6, "abcdef"},
		"read 2, recv":          {6, "abcdef"},
		"peek, recv":            {6, "abcdef"},
		"recv, nothing there":   {6, "abcdef"},
		"splice 4 from, recv":   {6, "ef"},
		"read 2, splice 4 from": {6, "ab"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, before := range []string{"", "do not wait, await bytes, "} {
				events := runOperations(t, k, before+name+", done", writeAbcdef(t))
				end, data := received(t, events)
				assert.Equal(t, tt.end, end, before)
				assert.Equal(t, tt.data, data, before)
				assertNoLoss(t, losses)
			}
		})
	}
}

// The end of a stream, too, has a sequence number, and is at a place all the same.
func TestKernelSeesTheEndWhereItIs(t *testing.T) {
	k, losses := testKernel(t)
	for name, sizes := range map[string][]uint32{
		"read":             {6},
		"read, read":       {6, 0},
		"read 2, read":     {2, 4},
		"recv, recv":       {6, 0},
		"read, recv, read": {6, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for _, before := range []string{"", "do not wait, "} {
				events := runOperations(t, k, before+"await their end, "+name+", done", func(conn net.Conn) {
					require.NoError(t, failure(io.WriteString(conn, "abcdef")))
					require.NoError(t, conn.(*net.TCPConn).CloseWrite())
					_, _ = io.ReadAll(conn)
				})
				end, _ := received(t, events)
				assert.EqualValues(t, 6, end, before)
				var got []uint32
				for _, e := range ofKind(events, Receive) {
					got = append(got, e.Size)
				}
				assert.Equal(t, sizes, got, before)
				assertNoLoss(t, losses)
			}
		})
	}
}

// What goes through io_uring is seen where the kernel's functions are watched, and counted
// where system calls are.
func TestKernelSeesOrCountsIOUring(t *testing.T) {
	k, losses := testKernel(t)
	events := runOperations(t, k, "io_uring recv, io_uring send, tail", writeAbcdef(t))
	if k.Strategy() == StrategyTracepoint {
		_, data := sent(t, 4, events)
		assert.Equal(t, "tail", data)
		assert.Empty(t, ofKind(events, Receive))
		assert.EqualValues(t, 2, losses.Get(loss.IOUringUnseen))
		return
	}
	end, data := sent(t, 0, events)
	assert.EqualValues(t, 8, end)
	assert.Equal(t, "ringtail", data)
	end, data = received(t, events)
	assert.EqualValues(t, 6, end)
	assert.Equal(t, "abcdef", data)
	assertNoLoss(t, losses)
}

// A thread that waits in a receive since before its process was traced is heard
// from when that receive returns, not only from the next one on.
func TestKernelAdoptsBlockedReceives(t *testing.T) {
	operators := make(map[string]*operator)
	for _, name := range []string{"recv", "read", "readv", "recvmsg"} {
		o := startOperator(t, name+", tail, "+name+", done", atOnceVariable+"=1")
		require.Eventually(t, func() bool { return blockedInReceive(o.pid()) }, 20*time.Second, time.Millisecond)
		operators[name] = o
	}
	k := ownKernel(t, &loss.Counts{}, 1<<20)
	for name, o := range operators {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, k.Trace(o.pid(), nil))
			moves := ofKind(collect(t, k, o.pid(), func() {
				_, err := o.conn.Write([]byte("while blocked"))
				require.NoError(t, err)
				_, err = io.ReadFull(o.conn, make([]byte, len("tail")))
				require.NoError(t, err)
				_, err = o.conn.Write([]byte("afterwards"))
				require.NoError(t, err)
				_, _ = io.ReadAll(o.conn)
			}), Receive)
			o.wait(t)
			require.Len(t, moves, 2)
			assert.Equal(t, "while blocked", string(moves[0].Data))
			assert.Equal(t, "afterwards", string(moves[1].Data))
			assert.Zero(t, moves[0].Offset)
			assert.Equal(t, uint64(len("while blocked")), moves[1].Offset)
			assert.Equal(t, moves[1].Identity, moves[0].Identity)
		})
	}
}

func blockedInReceive(pid uint32) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", pid))
	if err != nil {
		return false
	}
	c, ok := parseSyscall(text)
	if !ok {
		return false
	}
	_, ok = (&Kernel{}).receiveRecord(uint64(pid), c)
	return ok && isSocket(pid, c.args[0])
}

// A client that writes many commands one by one is seen with all of them, though they are one turn.
func TestKernelCarriesSmallSendsWhole(t *testing.T) {
	var losses loss.Counts
	k := ownKernel(t, &losses, 8<<20)
	events := runOperations(t, k, "small writes, done", func(conn net.Conn) { _, _ = io.ReadAll(conn) })
	var want strings.Builder
	for n := range smallWrites {
		want.WriteString(smallWrite(n))
	}
	want.WriteString("done")
	sends := ofKind(events, Send)
	require.NotEmpty(t, sends)
	_, data := sent(t, sends[0].Offset, events)
	assert.Equal(t, want.String(), data)
	assertNoLoss(t, &losses)
}
