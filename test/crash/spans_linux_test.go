package crash

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func fetch(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url) //nolint:noctx // loopback
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(body)
}

// backend is an OTLP server that remembers under which trace ids each span came.
type backend struct {
	ptraceotlp.UnimplementedGRPCServer
	endpoint string

	mu    sync.Mutex
	spans map[uint64]map[pcommon.TraceID]int
	total int
}

func newBackend(t *testing.T) *backend {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	b := &backend{endpoint: listener.Addr().String(), spans: map[uint64]map[pcommon.TraceID]int{}}
	server := grpc.NewServer()
	ptraceotlp.RegisterGRPCServer(server, b)
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(server.Stop)
	return b
}

// Export implements ptraceotlp.GRPCServer.
func (b *backend) Export(_ context.Context, request ptraceotlp.ExportRequest) (ptraceotlp.ExportResponse, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, rs := range request.Traces().ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, ps := range ss.Spans().All() {
				id := ps.SpanID()
				n := binary.BigEndian.Uint64(id[:])
				if b.spans[n] == nil {
					b.spans[n] = map[pcommon.TraceID]int{}
				}
				b.spans[n][ps.TraceID()]++
				b.total++
			}
		}
	}
	return ptraceotlp.NewExportResponse(), nil
}

func (b *backend) distinct() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.spans)
}

// Each trace goes through three services, each a segment with a server and a client
// span.
const (
	services      = 3
	spansPerTrace = 2 * services
)

// spanID returns the id of span i of trace n.
func spanID(n uint64, i int) uint64 { return n*8 + uint64(i) + 1 }

// segments returns the segments of one service of some traces. noise is the size of
// an attribute that does not compress, in bytes.
func segments(service int, first, count uint64, noise int) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutInt("service", int64(service))
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName("github.com/seqlink/seqlink/receiver/ebpfspanreceiver")
	for n := first; n < first+count; n++ {
		server, client := ss.Spans().AppendEmpty(), ss.Spans().AppendEmpty()
		fill(server, n, 2*service, 2*service-1, ptrace.SpanKindServer, 0x300)
		fill(client, n, 2*service+1, 2*service, ptrace.SpanKindClient, 0x100)
		if noise > 0 {
			server.Attributes().PutEmptyBytes("noise").FromRaw(random(n, noise))
		}
	}
	return td
}

func fill(ps ptrace.Span, n uint64, i, parent int, kind ptrace.SpanKind, flags uint32) {
	var trace pcommon.TraceID
	binary.BigEndian.PutUint64(trace[:8], 1)
	binary.BigEndian.PutUint64(trace[8:], n*services+uint64(i/2))
	var id, up pcommon.SpanID
	binary.BigEndian.PutUint64(id[:], spanID(n, i))
	if parent >= 0 {
		binary.BigEndian.PutUint64(up[:], spanID(n, parent))
	}
	ps.SetTraceID(trace)
	ps.SetSpanID(id)
	ps.SetParentSpanID(up)
	ps.SetKind(kind)
	ps.SetFlags(flags)
	ps.SetStartTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	ps.SetEndTimestamp(pcommon.NewTimestampFromTime(time.Now().Add(time.Millisecond)))
}

// random returns bytes that do not compress, the same for the same seed.
func random(seed uint64, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		seed = seed*6364136223846793005 + 1442695040888963407
		b[i] = byte(seed >> 56)
	}
	return b
}

func connect(t *testing.T, endpoint string) ptraceotlp.GRPCClient {
	conn, err := grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	return ptraceotlp.NewGRPCClient(conn)
}

// export sends td once.
func export(client ptraceotlp.GRPCClient, td ptrace.Traces) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := client.Export(ctx, ptraceotlp.NewExportRequestFromTraces(td))
	return err
}
