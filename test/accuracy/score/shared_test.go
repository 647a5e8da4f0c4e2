package score

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/seqlink/seqlink/examples/run"
)

// threeRequests are three requests, of which the first makes a call that serves the second as well, and
// the third one of its own.
func threeRequests() []run.Span {
	server := func(n byte, request string) run.Span {
		return run.Span{Trace: pcommon.TraceID{n}, ID: pcommon.SpanID{n, 1}, Service: "front", Kind: ptrace.SpanKindServer, Query: "truth=" + request}
	}
	call := func(n byte, query string) []run.Span {
		k := run.Span{
			Trace: pcommon.TraceID{n}, ID: pcommon.SpanID{n, 2}, Parent: pcommon.SpanID{n, 1}, Service: "front", Kind: ptrace.SpanKindClient,
			Query: query, Method: "goroutine", Confidence: 1,
		}
		answer := run.Span{Trace: k.Trace, ID: pcommon.SpanID{n, 3}, Parent: k.ID, Service: "leaf", Kind: ptrace.SpanKindServer, Query: query}
		return []run.Span{k, answer}
	}
	spans := []run.Span{server(1, "1"), server(2, "2"), server(3, "3")}
	spans = append(spans, call(1, "truth=1&serves=1,2")...)
	spans[3].Candidates = []run.Candidate{{ID: spans[1].ID, Method: "handoff", Confidence: 0.97}}
	return append(spans, call(3, "truth=3&serves=3,4")...)
}

func TestScoreShared(t *testing.T) {
	plan := Plan{{Name: "front", Calls: 1, Shared: true}, {Name: "leaf"}}
	for name, c := range map[string]struct {
		change                   func(s []run.Span)
		precision, recall, whole float64
	}{
		"all right": {func([]run.Span) {}, 1, 1, 1},
		"a parent for nobody": {func(s []run.Span) {
			s[3].Parent = pcommon.SpanID{}
			s[3].Candidates = append(s[3].Candidates, run.Candidate{ID: s[0].ID})
		}, 1, 1, 1},
		"not linked":            {func(s []run.Span) { s[3].Candidates = nil }, 1, 2.0 / 3, 2.0 / 3},
		"linked to another one": {func(s []run.Span) { s[3].Candidates[0].ID = s[2].ID }, 0.5, 1.0 / 3, 1.0 / 3},
	} {
		t.Run(name, func(t *testing.T) {
			spans := threeRequests()
			c.change(spans)
			got := Score(spans, plan, []string{"1", "2", "3"})
			assert.InDelta(t, c.precision, got.Precision, 1e-9, got.Examples)
			assert.InDelta(t, c.recall, got.Recall, 1e-9)
			assert.InDelta(t, c.whole, got.FullyCorrect, 1e-9)
			assert.Equal(t, 3, got.Calls)
			assert.Zero(t, got.Missing+got.Extra)
		})
	}
}
