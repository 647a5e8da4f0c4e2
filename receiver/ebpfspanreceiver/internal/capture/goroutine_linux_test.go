package capture

import (
	"io"
	"net"
	"os/exec"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// Who calls the kernel from Go is known by its registers, whatever lies in the thread's own memory.
func TestKernelReadsGoroutines(t *testing.T) {
	for name, offset := range map[string]int32{"": 0, ", the register alone": -1 << 30} {
		t.Run("a server's and a client's"+name, func(t *testing.T) {
			c := startChild(t)
			c.ask("before")
			k := newKernel(t, &loss.Counts{})
			goRuntime := ownRuntime(t)
			goRuntime.GOffset += offset
			require.NoError(t, k.Trace(c.pid(), goRuntime))

			moves := ofKind(collect(t, k, c.pid(), func() { c.ask("one") }), Send, Receive)
			require.Len(t, moves, 4)
			client, server := moves[0].Task, moves[1].Task
			assert.EqualValues(t, 1, client.Goroutine)
			assert.Zero(t, client.ParentGoroutine)
			assert.Greater(t, server.Goroutine, uint64(1))
			assert.EqualValues(t, 1, server.ParentGoroutine)
			assert.Equal(t, server.Goroutine, moves[2].Task.Goroutine)
			assert.Equal(t, client.Goroutine, moves[3].Task.Goroutine)
		})
	}
}

const sendsOnce = `
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
sys.stdin.read(1)
s.sendall(b"abc")
sys.stdin.read(1)
`

// Code in C may have anything in that register. Here the thread's memory tells: glibc has the
// address of a thread's control block in it twice (sysdeps/x86_64/nptl/tls.h, tcbhead_t).
func TestKernelReadsGoroutinesOfThreadsInC(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("fsbase is read on amd64 only")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	cmd := exec.Command("python3", "-c", sendsOnce, port)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	defer func() { _ = in.Close(); _ = cmd.Wait() }()
	conn, err := listener.Accept()
	require.NoError(t, err)
	defer conn.Close()

	k := newKernel(t, &loss.Counts{})
	pid := uint32(cmd.Process.Pid)
	require.NoError(t, k.Trace(pid, &GoRuntime{GOffset: 0, GoidOffset: 0, ParentGoidOffset: 16}))
	sends := ofKind(collect(t, k, pid, func() {
		_, err := io.WriteString(in, "x")
		require.NoError(t, err)
		require.NoError(t, failure(io.ReadFull(conn, make([]byte, 3))))
	}), Send)
	require.Len(t, sends, 1)
	assert.NotZero(t, sends[0].Task.Goroutine)
	assert.Equal(t, sends[0].Task.Goroutine, sends[0].Task.ParentGoroutine)
}
