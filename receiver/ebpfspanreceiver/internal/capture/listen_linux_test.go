package capture

import (
	"io"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// listener binds and listens when it is told to, over IPv4 and IPv6.
const listener = `
import socket, sys
for family, host in (socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1'):
    s = socket.socket(family)
    s.bind((host, 0))
    print(s.getsockname()[1], flush=True)
    sys.stdin.readline()
    s.listen()
    keep = s
sys.stdin.readline()
`

// A process that is not traced is reported when it begins to listen, and only if
// that was asked for.
func TestListen(t *testing.T) {
	for _, asked := range []bool{true, false} {
		var losses loss.Counts
		cmd := exec.Command("python3", "-c", listener)
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start()) // before the kernel side, which ignores the collector's children
		k, err := NewKernel(KernelOptions{
			Listens: asked, PayloadSize: 1024, RingBufferSize: 1 << 20, Losses: &losses, Logger: zap.NewNop(),
		})
		require.NoError(t, err)
		var bound []uint16
		events := collect(t, k, uint32(cmd.Process.Pid), func() {
			for range 2 {
				bound = append(bound, readNumber(t, out))
				_, err := io.WriteString(in, "\n")
				require.NoError(t, err)
			}
			require.NoError(t, in.Close())
			require.NoError(t, cmd.Wait())
		})
		var listened []uint16
		for _, e := range ofKind(events, Listen) {
			listened = append(listened, e.Local.Port())
		}
		if asked {
			assert.Equal(t, bound, listened)
		} else {
			assert.Empty(t, listened)
		}
		require.NoError(t, k.Close())
	}
}

// readNumber reads digits up to the end of the line, and nothing after it.
func readNumber(t *testing.T, r io.Reader) (n uint16) {
	var b [1]byte
	for {
		_, err := io.ReadFull(r, b[:])
		require.NoError(t, err)
		if b[0] == '\n' {
			return n
		}
		n = 10*n + uint16(b[0]-'0')
	}
}
