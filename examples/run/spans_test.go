package run

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

func TestSpansAdd(t *testing.T) {
	traces := ptrace.NewTraces()
	resource := traces.ResourceSpans().AppendEmpty()
	resource.Resource().Attributes().PutStr("service.name", "orders")
	span := resource.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetSpanID(pcommon.SpanID{1})
	span.SetStartTimestamp(3)
	span.SetEndTimestamp(4)
	span.SetKind(ptrace.SpanKindClient)
	span.Attributes().PutStr("url.path", "/orders/7")
	span.Attributes().PutStr("url.query", "a=b")
	span.Links().AppendEmpty().Attributes().PutStr("seqlink.context", "w3c")
	doubtful := span.Links().AppendEmpty()
	doubtful.SetSpanID(pcommon.SpanID{2})
	doubtful.Attributes().PutStr("seqlink.link.method", "loop")
	doubtful.Attributes().PutDouble("seqlink.link.confidence", 0.5)
	var spans Spans
	spans.Add(traces)
	assert.Equal(t, []Span{{
		ID: pcommon.SpanID{1}, Service: "orders", Kind: ptrace.SpanKindClient, Start: 3, End: 4, Request: "7", Query: "a=b",
		Candidates: []Candidate{{ID: pcommon.SpanID{2}, Method: "loop", Confidence: 0.5}},
	}}, spans.All())
}

// Addresses are not given twice, and not from the ports of clients.
func TestFreeAddresses(t *testing.T) {
	seen := make(map[string]bool)
	for range 20 {
		addresses, err := FreeAddresses(5)
		require.NoError(t, err)
		require.Len(t, addresses, 5)
		for _, address := range addresses {
			assert.False(t, seen[address], address)
			seen[address] = true
			_, port, _ := strings.Cut(address, ":")
			assert.Less(t, port, "32768")
		}
	}
}

func TestHopAddresses(t *testing.T) {
	addresses, err := hopAddresses([]Hop{{}, {Addresses: 3}})
	require.NoError(t, err)
	require.Len(t, addresses, 2)
	assert.NotContains(t, addresses[0], ",")
	assert.Len(t, strings.Split(addresses[1], ","), 3)
}
