package capture

import (
	"fmt"
	"io"
	"net"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// afterGo waits for a byte of the parent's, so that the system calls under test come
// after tracing began. s is a connection, f a file that holds "0123456789".
const afterGo = `
import ctypes, os, socket, sys, tempfile
libc = ctypes.CDLL(None)
s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
f = tempfile.TemporaryFile(); f.write(b'0123456789'); f.flush()
sys.stdin.buffer.read(1)
%s
`

// runPython traces a Python program that is connected to peer's other end.
func runPython(t *testing.T, program string, peer func(net.Conn)) ([]Event, *loss.Counts) {
	python, err := exec.LookPath("python3")
	require.NoError(t, err, "install python3")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	cmd := exec.Command(python, "-c", fmt.Sprintf(afterGo, program), fmt.Sprint(listener.Addr().(*net.TCPAddr).Port))
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	conn, err := listener.Accept()
	require.NoError(t, err)
	defer conn.Close()
	var losses loss.Counts
	k := newKernel(t, &losses)
	defer func() { require.NoError(t, k.Close()) }()
	pid := uint32(cmd.Process.Pid)
	require.NoError(t, k.Trace(pid, nil))
	return collect(t, k, pid, func() {
		_, err := io.WriteString(in, "x")
		require.NoError(t, err)
		peer(conn)
		require.NoError(t, cmd.Wait())
	}), &losses
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

// Whatever system call sends, the bytes have their places.
func TestEverySendingCall(t *testing.T) {
	for name, tt := range map[string]struct {
		program string
		// begin and end are the places of the first byte and after the last.
		begin, end uint64
		data       string
	}{
		"write":     {`os.write(s.fileno(), b'abc')`, 0, 3, "abc"},
		"writev":    {`os.writev(s.fileno(), [b'ab', b'', b'cde'])`, 0, 5, "abcde"},
		"pwritev2":  {`b = ctypes.create_string_buffer(b'abcd', 4); v = (ctypes.c_uint64 * 2)(ctypes.addressof(b), 4); libc.pwritev2(s.fileno(), v, 1, ctypes.c_long(-1), 0)`, 0, 4, "abcd"},
		"send":      {`s.send(b'abc')`, 0, 3, "abc"},
		"sendmsg":   {`s.sendmsg([b'a', b'bc'])`, 0, 3, "abc"},
		"sendfile":  {`s.send(b'head:'); os.sendfile(s.fileno(), f.fileno(), 2, 6); s.send(b'tail')`, 0, 15, "head:tail"},
		"splice":    {`r, w = os.pipe(); os.write(w, b'piped'); libc.splice(r, None, s.fileno(), None, ctypes.c_size_t(5), 0); s.send(b'!')`, 0, 6, "!"},
		"duplicate": {`d = os.dup(s.fileno()); os.write(d, b'abc'); os.close(d); s.send(b'd')`, 0, 4, "abcd"},
		"inherited": {"if os.fork() == 0:\n  s.send(b'child'); os._exit(0)\nos.wait(); s.send(b'parent')", 5, 11, "parent"},
	} {
		t.Run(name, func(t *testing.T) {
			events, losses := runPython(t, tt.program, func(conn net.Conn) { _, _ = io.ReadAll(conn) })
			end, data := sent(t, tt.begin, events)
			assert.Equal(t, tt.end, end)
			assert.Equal(t, tt.data, data)
			losses.Each(func(r loss.Reason, n int64) { assert.Zero(t, n, r) })
		})
	}
}

// Whatever system call receives, the bytes have their places; a look at them is no receive.
func TestEveryReceivingCall(t *testing.T) {
	for name, tt := range map[string]struct {
		program string
		end     uint64
		data    string
	}{
		"read":          {`os.read(s.fileno(), 6)`, 6, "abcdef"},
		"readv":         {`os.readv(s.fileno(), [bytearray(2), bytearray(4)])`, 6, "abcdef"},
		"recv":          {`s.recv(6)`, 6, "abcdef"},
		"recvmsg":       {`s.recvmsg(6)`, 6, "abcdef"},
		"short":         {`s.recv(2); s.recv(100)`, 6, "abcdef"},
		"peek":          {`s.recv(6, socket.MSG_PEEK); s.recv(6)`, 6, "abcdef"},
		"nothing there": {"s.recv(6); s.setblocking(False)\ntry: s.recv(1)\nexcept BlockingIOError: pass", 6, "abcdef"},
		"splice":        {"r, w = os.pipe(); libc.splice(s.fileno(), None, w, None, ctypes.c_size_t(4), 0); s.recv(2)", 6, "ef"},
	} {
		t.Run(name, func(t *testing.T) {
			events, losses := runPython(t, tt.program+"\ns.send(b'done')", func(conn net.Conn) {
				_, err := io.WriteString(conn, "abcdef")
				require.NoError(t, err)
				_, _ = io.ReadAll(conn)
			})
			end, data := uint64(0), ""
			for _, e := range ofKind(events, Receive) {
				assert.Equal(t, end, e.Offset)
				end += uint64(e.Size)
				data += string(e.Data)
			}
			assert.Equal(t, tt.end, end)
			assert.Equal(t, tt.data, data)
			losses.Each(func(r loss.Reason, n int64) { assert.Zero(t, n, r) })
		})
	}
}
