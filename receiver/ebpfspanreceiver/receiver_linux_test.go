package ebpfspanreceiver

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/metadata"
)

// unstartable is a configuration whose start fails: its recording appears between
// validation and start.
func unstartable(t *testing.T) *Config {
	config := createDefaultConfig().(*Config)
	config.Record = filepath.Join(t.TempDir(), "r.jsonl")
	require.NoError(t, config.Validate())
	require.NoError(t, os.WriteFile(config.Record, nil, 0o600))
	return config
}

func TestErrorModes(t *testing.T) {
	config := unstartable(t)
	r, err := newSpanReceiver(config, receivertest.NewNopSettings(metadata.Type), consumertest.NewNop())
	require.NoError(t, err)
	require.ErrorContains(t, r.Start(t.Context(), componenttest.NewNopHost()), "record: ")
	require.NoError(t, r.Shutdown(t.Context()))

	config.ErrorMode = errorModeIgnore
	r, err = newSpanReceiver(config, receivertest.NewNopSettings(metadata.Type), consumertest.NewNop())
	require.NoError(t, err)
	host := newStatusHost()
	require.NoError(t, r.Start(t.Context(), host))
	require.Len(t, host.events, 1)
	e := <-host.events
	assert.Equal(t, componentstatus.StatusPermanentError, e.Status())
	require.ErrorContains(t, e.Err(), "record: ")
	require.NoError(t, r.Shutdown(t.Context()))
}

// A request made by a real program of this test's own, seen by the kernel, comes
// out as a span, and the recording of it gives the same span again.
func TestKernelToSpanAndRecording(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("hello"))
	}))
	defer server.Close()
	pid, input := orphan(t, "SEQLINK_SERVICE=the-client", "python3", "-c",
		"import sys, urllib.request; sys.stdin.readline(); urllib.request.urlopen(sys.argv[1]).read(); sys.stdin.readline()",
		server.URL+"/hello?token=secret")

	config := createDefaultConfig().(*Config)
	config.Processes.PIDs = []int64{pid}
	config.Record, config.RecordPayload = filepath.Join(t.TempDir(), "r.jsonl"), true
	var sink consumertest.TracesSink
	r, err := newSpanReceiver(config, receivertest.NewNopSettings(metadata.Type), &sink)
	require.NoError(t, err)
	require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
	_, err = io.WriteString(input, "\n")
	require.NoError(t, err)
	require.Eventually(t, func() bool { return sink.SpanCount() == 1 }, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, r.Shutdown(t.Context()))

	live := text(sink.AllTraces())
	assert.Contains(t, live, "the-client Client GET /hello 200")
	assert.NotContains(t, dump(t, &sink), "secret")
	var again consumertest.TracesSink
	replay(t, config.Record, &again)
	assert.Equal(t, live, text(again.AllTraces()))
}

// breakingServer answers one request, found by its path, in the way it is told.
const breakingServer = `
import os, socket, struct, sys, time
listener = socket.create_server(("127.0.0.1", 0))
open(sys.argv[1], "w").write(str(listener.getsockname()[1]) + "\n")
sys.stdin.readline()
conn, _ = listener.accept()
conn.recv(1000)
how = sys.argv[2]
if how == "truncate":
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
if how == "reset":
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
if how == "idle":
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    sys.stdin.readline()
if how == "exit":
    os._exit(0)
if how == "slow":
    conn.recv(1000) # until the client has gone
conn.close()
sys.stdin.readline()
`

// Whatever breaks an exchange off, its span comes, says what happened and has a
// duration; a connection that stays open and idle holds no span back.
func TestBrokenExchanges(t *testing.T) {
	for how, want := range map[string]string{
		"close":    "breaking Server GET /close - connection_closed",
		"truncate": "breaking Server GET /truncate 200 truncated_response",
		"reset":    "breaking Server GET /reset - connection_closed",
		"exit":     "breaking Server GET /exit - process_exited",
		"slow":     "breaking Server GET /slow - client_disconnected",
		"idle":     "breaking Server GET /idle 200 -",
	} {
		t.Run(how, func(t *testing.T) {
			portFile := filepath.Join(t.TempDir(), "port")
			pid, input := orphan(t, "SEQLINK_SERVICE=breaking", "python3", "-c", breakingServer, portFile, how)
			var port string
			require.Eventually(t, func() bool {
				text, err := os.ReadFile(portFile)
				port = strings.TrimSpace(string(text))
				return err == nil && strings.HasSuffix(string(text), "\n")
			}, 20*time.Second, 10*time.Millisecond)

			config := createDefaultConfig().(*Config)
			config.Processes.PIDs = []int64{pid}
			var sink consumertest.TracesSink
			r, err := newSpanReceiver(config, receivertest.NewNopSettings(metadata.Type), &sink)
			require.NoError(t, err)
			require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
			_, err = io.WriteString(input, "\n")
			require.NoError(t, err)

			conn, err := net.Dial("tcp", "127.0.0.1:"+port)
			require.NoError(t, err)
			defer conn.Close()
			_, err = io.WriteString(conn, "GET /"+how+" HTTP/1.1\r\nHost: x\r\n\r\n")
			require.NoError(t, err)
			if how == "slow" {
				time.Sleep(50 * time.Millisecond)
				require.NoError(t, conn.Close())
			}
			require.Eventually(t, func() bool { return sink.SpanCount() == 1 }, 20*time.Second, 10*time.Millisecond)
			require.NoError(t, r.Shutdown(t.Context()))

			got := text(sink.AllTraces())
			assert.Contains(t, got, want)
			span := sink.AllTraces()[0].ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0)
			assert.Greater(t, span.EndTimestamp(), span.StartTimestamp())
		})
	}
}

// orphan starts a program that is no child of this process, which acts as the
// collector: its children are never traced. The program ends with its input.
func orphan(t *testing.T, variable string, command ...string) (pid int64, input io.Writer) {
	t.Helper()
	shell := exec.Command("sh", append([]string{"-c", `exec 3<&0; "$@" <&3 >/dev/null 2>&1 & echo $!`, "sh"}, command...)...)
	shell.Env = append(os.Environ(), variable)
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	defer reader.Close()
	t.Cleanup(func() { _ = writer.Close() })
	shell.Stdin = reader
	out, err := shell.Output()
	require.NoError(t, err)
	pid, err = strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	require.NoError(t, err)
	return pid, writer
}

func dump(t *testing.T, sink *consumertest.TracesSink) string {
	t.Helper()
	var out strings.Builder
	for _, batch := range sink.AllTraces() {
		for _, r := range batch.ResourceSpans().All() {
			for _, s := range r.ScopeSpans().At(0).Spans().All() {
				for key, value := range s.Attributes().All() {
					out.WriteString(key + "=" + value.AsString() + "\n")
				}
			}
		}
	}
	return out.String()
}
