package ebpfspanreceiver

import (
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/span"
)

// testPipeline counts the spans that a pipeline emits.
type testPipeline struct {
	*pipeline
	spans int
}

func newTestPipeline(t *testing.T) *testPipeline {
	t.Helper()
	p := &testPipeline{}
	p.pipeline = newPipeline(createDefaultConfig().(*Config), span.Options{}, nil, nil, &stats{}, zap.NewNop(),
		func(batch ptrace.Traces) { p.spans += batch.SpanCount() })
	return p
}

// exchangeEvents are those of one request and its response at a server.
func exchangeEvents(now int64) []capture.Event {
	request, response := "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	task := capture.Task{PID: 7, TID: 7}
	identity := capture.Identity{FirstSent: 1, FirstReceived: 2}
	return []capture.Event{
		{Kind: capture.Receive, Time: now, Task: task, Socket: 5, Identity: identity, Size: uint32(len(request)), Data: []byte(request)},
		{Kind: capture.Send, Time: now + 1000, Task: task, Socket: 5, Identity: identity, Size: uint32(len(response)), Data: []byte(response)},
	}
}
