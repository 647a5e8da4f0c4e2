package ebpfspanreceiver

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/metadata"
)

// lateServers bind when they are told to, long after they started. "forking" has the
// work done by a child that it forks right after, as servers with workers do.
const lateServers = `
import os, socket, sys
sys.stdin.readline()
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
if sys.argv[2] == "forking" and os.fork():
    sys.stdin.readline()
    os._exit(0)
while True:
    conn, _ = listener.accept()
    conn.recv(1000)
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    conn.close()
    if sys.argv[2] == "forking":
        os._exit(0)
`

// A server that is selected by its port is traced although it binds long after the
// receiver started, and another one is not.
func TestListeningPort(t *testing.T) {
	for how, processes := range map[string]int64{"alone": 1, "forking": 2} {
		t.Run(how, func(t *testing.T) {
			port, other := freePort(t), freePort(t)
			_, input := orphan(t, "SEQLINK_SERVICE=late", "python3", "-c", lateServers, port, how)
			_, otherInput := orphan(t, "SEQLINK_SERVICE=unasked", "python3", "-c", lateServers, other, how)
			config := createDefaultConfig().(*Config)
			config.Processes.Ports = []any{port}
			var sink consumertest.TracesSink
			r, err := newSpanReceiver(config, receivertest.NewNopSettings(metadata.Type), &sink)
			require.NoError(t, err)
			require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
			for _, in := range []io.Writer{otherInput, input} {
				_, err = io.WriteString(in, "\n")
				require.NoError(t, err)
			}
			awaitListening(t, port)
			awaitListening(t, other)
			require.Eventually(t, func() bool { return r.stats.processes.Load() == processes }, 20*time.Second, 10*time.Millisecond)
			for _, p := range []string{other, port} {
				response, err := http.Get("http://127.0.0.1:" + p + "/late")
				require.NoError(t, err)
				require.NoError(t, response.Body.Close())
			}
			require.Eventually(t, func() bool { return sink.SpanCount() == 1 }, 20*time.Second, 10*time.Millisecond)
			require.NoError(t, r.Shutdown(t.Context()))
			assert.Contains(t, text(sink.AllTraces()), "late Server GET /late 200")
			assert.Equal(t, 1, sink.SpanCount(), text(sink.AllTraces()))
		})
	}
}

func freePort(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	return port
}

// awaitListening waits without a connection, which the server would take for a request.
func awaitListening(t *testing.T, port string) {
	number, err := strconv.ParseUint(port, 10, 16)
	require.NoError(t, err)
	wanted := map[string]string{
		"/proc/net/tcp":  fmt.Sprintf("0100007F:%04X 00000000:0000 0A", number),
		"/proc/net/tcp6": fmt.Sprintf("FFFF00000100007F:%04X 00000000000000000000000000000000:0000 0A", number),
	}
	require.Eventually(t, func() bool {
		for path, line := range wanted {
			if table, err := os.ReadFile(path); err == nil && strings.Contains(string(table), line) {
				return true
			}
		}
		return false
	}, 20*time.Second, 10*time.Millisecond)
}

// A traced shell's short-lived children are traced from their first system call on,
// whether or not /proc can be read while they live.
func TestShortLivedProcesses(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) }))
	defer server.Close()
	const requests = 30
	_, input := orphan(t, "SEQLINK_SHORT_LIVED="+t.Name(), "sh", "-c",
		`export SEQLINK_SERVICE=job; read go; i=0; while [ $i -lt $2 ]; do curl -s "$1/$i" >/dev/null; i=$((i+1)); done; read end`,
		"sh", server.URL, strconv.Itoa(requests))
	config := createDefaultConfig().(*Config)
	config.Processes.Env = []string{"SEQLINK_SHORT_LIVED"}
	var sink consumertest.TracesSink
	r, err := newSpanReceiver(config, receivertest.NewNopSettings(metadata.Type), &sink)
	require.NoError(t, err)
	require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
	_, err = io.WriteString(input, "\n")
	require.NoError(t, err)
	assert.Eventually(t, func() bool { return sink.SpanCount() == requests }, 30*time.Second, 10*time.Millisecond)
	require.NoError(t, r.Shutdown(t.Context()))
	all := text(sink.AllTraces())
	for i := range requests {
		assert.Contains(t, all, fmt.Sprintf("Client GET /%d 200", i))
	}
	r.stats.losses.Each(func(reason loss.Reason, n int64) { assert.Zero(t, n, reason) })
}

// A program that executes itself again, as for an upgrade, is the same service.
func TestReexec(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) }))
	defer server.Close()
	pid, input := orphan(t, "SEQLINK_SERVICE=again", "python3", "-c", `
import os, sys, urllib.request
sys.stdin.buffer.raw.read(1)
urllib.request.urlopen(sys.argv[1] + "/" + sys.argv[2]).read()
os.execv(sys.executable, [sys.executable, "-c", sys.argv[3], sys.argv[1], "second", "-"]) if sys.argv[3] != "-" else None
sys.stdin.buffer.raw.read(1)
`, server.URL, "first", `
import sys, urllib.request
sys.stdin.buffer.raw.read(1)
urllib.request.urlopen(sys.argv[1] + "/" + sys.argv[2]).read()
sys.stdin.buffer.raw.read(1)
`)
	config := createDefaultConfig().(*Config)
	config.Processes.PIDs = []int64{pid}
	var sink consumertest.TracesSink
	r, err := newSpanReceiver(config, receivertest.NewNopSettings(metadata.Type), &sink)
	require.NoError(t, err)
	require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
	for n := range 2 {
		_, err = io.WriteString(input, "\n")
		require.NoError(t, err)
		require.Eventually(t, func() bool { return sink.SpanCount() == n+1 }, 20*time.Second, 10*time.Millisecond)
	}
	require.NoError(t, r.Shutdown(t.Context()))
	assert.Contains(t, text(sink.AllTraces()), "again Client GET /first 200")
	assert.Contains(t, text(sink.AllTraces()), "again Client GET /second 200")
}
