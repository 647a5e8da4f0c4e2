package ebpfspanreceiver

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/metadata"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/span"
)

// keepingServer answers requests on kept connections, a thread for each, and writes
// its port to a file.
const keepingServer = `
import http.server, sys, threading
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")
    def log_message(self, *args):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
open(sys.argv[1], "w").write(str(server.server_port) + "\n")
sys.stdin.read()
`

// keepingClient sends as many requests as each line of its input says, over four kept
// connections, and writes that number to a file when they are answered.
const keepingClient = `
import http.client, sys, threading
connections = [http.client.HTTPConnection("127.0.0.1", int(sys.argv[1])) for _ in range(4)]
def ask(c, n):
    for i in range(n):
        c.request("GET", "/%d" % i)
        c.getresponse().read()
for line in sys.stdin:
    threads = [threading.Thread(target=ask, args=(c, int(line) // 4)) for c in connections]
    [t.start() for t in threads]
    [t.join() for t in threads]
    open(sys.argv[2], "w").write(line)
`

// awaitLine waits until a file holds one line.
func awaitLine(t *testing.T, path string) (line string) {
	t.Helper()
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(path)
		line = strings.TrimSpace(string(text))
		return err == nil && strings.HasSuffix(string(text), "\n")
	}, time.Minute, 10*time.Millisecond)
	return line
}

// keeping is a server and a client that are traced.
type keeping struct {
	t    *testing.T
	pids []int64
	ask  io.Writer
	done string
}

func startKeeping(t *testing.T) *keeping {
	k := &keeping{t: t, done: filepath.Join(t.TempDir(), "done")}
	portFile := filepath.Join(t.TempDir(), "port")
	server, _ := orphan(t, "SEQLINK_SERVICE=server", "python3", "-c", keepingServer, portFile)
	client, ask := orphan(t, "SEQLINK_SERVICE=client", "python3", "-c", keepingClient, awaitLine(t, portFile), k.done)
	k.pids, k.ask = []int64{server, client}, ask
	return k
}

// requests sends n requests and waits for their answers.
func (k *keeping) requests(n int) {
	k.t.Helper()
	_, err := fmt.Fprintln(k.ask, n)
	require.NoError(k.t, err)
	require.Equal(k.t, fmt.Sprint(n), awaitLine(k.t, k.done))
	require.NoError(k.t, os.Remove(k.done))
}

// spansByID returns all spans, by their ids.
func spansByID(sink *consumertest.TracesSink) map[pcommon.SpanID]ptrace.Span {
	spans := make(map[pcommon.SpanID]ptrace.Span)
	for _, batch := range sink.AllTraces() {
		for _, r := range batch.ResourceSpans().All() {
			for _, s := range r.ScopeSpans().At(0).Spans().All() {
				spans[s.SpanID()] = s
			}
		}
	}
	return spans
}

// assertBothEnds checks that the client span of each server span is there, and the
// server span of each client span; it returns the number of requests.
func assertBothEnds(t *testing.T, spans map[pcommon.SpanID]ptrace.Span) (requests int) {
	t.Helper()
	clients := make(map[pcommon.SpanID]bool)
	for _, s := range spans {
		if s.Kind() == ptrace.SpanKindServer {
			parent, ok := spans[s.ParentSpanID()]
			assert.True(t, ok, "a server span without its client span")
			assert.True(t, ok && parent.Kind() == ptrace.SpanKindClient)
			clients[s.ParentSpanID()] = true
		}
		status, _ := s.Attributes().Get("http.response.status_code")
		assert.EqualValues(t, 200, status.Int())
	}
	for id, s := range spans {
		if s.Kind() == ptrace.SpanKindClient {
			requests++
			assert.True(t, clients[id], "a client span without its server span")
		}
	}
	return requests
}

// While the part that is kept changes under load, both ends of each request that is
// kept are there, at every ratio about as many as it says; most of the others have
// been left out in the kernel, and nothing is lost.
func TestThinningKeepsBothEnds(t *testing.T) {
	k := startKeeping(t)
	config := createDefaultConfig().(*Config)
	config.Processes.PIDs = k.pids
	config.Budget.CPU = "100%" // so that the governor has nothing to do
	require.NoError(t, config.Validate())
	var sink consumertest.TracesSink
	r, err := newSpanReceiver(config, receivertest.NewNopSettings(metadata.Type), &sink)
	require.NoError(t, err)
	require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
	g := r.stats.governing.Load()

	const steady, turns = 2000, 8
	k.requests(40)
	for _, ratio := range []float64{0.8, 0.2} {
		g.thinner.Aim(ratio)
		for range turns { // the change comes into force among these
			k.requests(100)
			time.Sleep(500 * time.Millisecond)
		}
		settle(t, r)
		before := len(spansByID(&sink))
		k.requests(steady)
		settle(t, r)
		assert.InDelta(t, ratio, float64(len(spansByID(&sink))-before)/2/steady, 0.06)
	}
	g.thinner.Aim(1)
	for range turns {
		k.requests(100)
		time.Sleep(500 * time.Millisecond)
	}
	settle(t, r)
	before := len(spansByID(&sink))
	k.requests(100)
	settle(t, r)
	inKernel := g.kernel.ThinnedRequests()
	require.NoError(t, r.Shutdown(t.Context()))
	assert.Equal(t, inKernel, g.kernel.ThinnedRequests(), "a counter does not fall")

	spans := spansByID(&sink)
	assert.Equal(t, 200, len(spans)-before, "everything is kept again")
	const all = 40 + 3*turns*100 + 2*steady + 100
	requests := assertBothEnds(t, spans)
	assert.EqualValues(t, 2*(all-requests), g.thinner.Out()+inKernel, "each request is kept or counted")
	assert.Greater(t, inKernel, int64(2*0.7*steady), "at 0.2 the kernel side leaves out most")
	r.stats.losses.Each(func(reason loss.Reason, n int64) { assert.Zero(t, n, reason) })
	for _, s := range spans {
		ratio, ok := s.Attributes().Get(span.AttributeCaptureRatio)
		assert.Equal(t, ok, s.TraceState().AsRaw() != "")
		if ok {
			assert.Contains(t, []string{"0.80", "0.20"}, fmt.Sprintf("%.2f", ratio.Double()))
		}
	}
}

// settle waits until the spans of what has been answered have been handed over.
func settle(t *testing.T, r *spanReceiver) {
	t.Helper()
	events := int64(-1)
	require.Eventually(t, func() bool {
		before := events
		events = r.stats.events.Load()
		return before == events
	}, time.Minute, 500*time.Millisecond)
}

// slow is a consumer that takes some time for each span while it is busy.
type slow struct {
	consumertest.TracesSink
	busy atomic.Bool
}

func (s *slow) ConsumeTraces(ctx context.Context, batch ptrace.Traces) error {
	if s.busy.Load() {
		time.Sleep(time.Duration(batch.SpanCount()) * 300 * time.Microsecond)
	}
	return s.TracesSink.ConsumeTraces(ctx, batch)
}

// What cannot be read in time, as the consumer is slow, is left out by requests, and comes back when
// it can be read.
func TestOverloadLeavesOutRequestsNotEvents(t *testing.T) {
	k := startKeeping(t)
	config := createDefaultConfig().(*Config)
	config.Processes.PIDs = k.pids
	config.RingBufferSize = 256 << 10
	require.NoError(t, config.Validate())
	var sink slow
	r, err := newSpanReceiver(config, receivertest.NewNopSettings(metadata.Type), &sink)
	require.NoError(t, err)
	require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
	g := r.stats.governing.Load()
	lost := func() int64 { return r.stats.losses.Get(loss.RingBufferFull) }

	sink.busy.Store(true)
	rounds := func(n int) (lostMeanwhile int64) {
		before := lost()
		for range n {
			k.requests(1000)
		}
		return lost() - before
	}
	for round := 0; g.ratio() > 0.5 || lost() == 0; round++ {
		require.Less(t, round, 100, "it never thins")
		rounds(1)
	}
	overloaded := lost()
	rounds(20) // until what was still read then has left
	fewer := false
	for spell := 0; spell < 10 && !fewer; spell++ { // on a busy machine it takes longer to find how many
		fewer = rounds(10) < overloaded
	}
	assert.True(t, fewer, "fewer events are lost when requests are left out")

	sink.busy.Store(false)
	require.Eventually(t, func() bool { k.requests(100); return g.ratio() == 1 }, 2*time.Minute, 100*time.Millisecond)
	for range 10 { // the change comes into force among these
		k.requests(100)
		time.Sleep(500 * time.Millisecond)
	}
	settle(t, r)
	before := len(spansByID(&sink.TracesSink))
	k.requests(100)
	settle(t, r)
	assert.Equal(t, 200, len(spansByID(&sink.TracesSink))-before, "everything is kept again")
	require.NoError(t, r.Shutdown(t.Context()))
}
