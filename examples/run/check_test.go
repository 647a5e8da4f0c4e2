package run

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

var services = []string{"front", "middle", "last"}

// trace is a right and complete trace of one request through services.
func trace(request int) []Span {
	var spans []Span
	var parent pcommon.SpanID
	for i, s := range steps(services) {
		id := pcommon.SpanID{byte(request), byte(i + 1)}
		spans = append(spans, Span{
			Trace: pcommon.TraceID{byte(request)}, ID: id, Parent: parent,
			Service: s.service, Kind: s.kind, Request: strconv.Itoa(request),
		})
		parent = id
	}
	return spans
}

func TestCheck(t *testing.T) {
	tests := map[string]struct {
		mutate func(spans []Span) []Span
		want   Report
	}{
		"all right":      {want: Report{Complete: 2}},
		"one missing":    {func(s []Span) []Span { return s[1:] }, Report{Complete: 1, Missing: 1}},
		"all missing":    {func(s []Span) []Span { return s[5:] }, Report{Complete: 1, Missing: 5}},
		"one twice":      {func(s []Span) []Span { return append(s, s[2]) }, Report{Complete: 1, Extra: 1}},
		"wrong parent":   {func(s []Span) []Span { s[3].Parent = s[7].ID; return s }, Report{Complete: 1, WrongParents: 1}},
		"no parent":      {func(s []Span) []Span { s[3].Parent = pcommon.SpanID{}; return s }, Report{Complete: 1, Unlinked: 1}},
		"root with one":  {func(s []Span) []Span { s[0].Parent = s[1].ID; return s }, Report{Complete: 1, WrongParents: 1}},
		"split":          {func(s []Span) []Span { s[4].Trace = pcommon.TraceID{9}; return s }, Report{Complete: 1, SplitTraces: 1}},
		"mixed":          {func(s []Span) []Span { return setTrace(s, 2) }, Report{MixedTraces: 1}},
		"unasked":        {func(s []Span) []Span { return append(s, trace(3)...) }, Report{Complete: 2, Unasked: 5}},
		"other service":  {func(s []Span) []Span { s[4].Service = "x"; return s }, Report{Complete: 1, Missing: 1, Extra: 1}},
		"parent missing": {func(s []Span) []Span { return append(s[:2], s[3:]...) }, Report{Complete: 1, Missing: 1}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			spans := append(trace(1), trace(2)...)
			if test.mutate != nil {
				spans = test.mutate(spans)
			}
			report := Check(spans, []string{"1", "2"}, services)
			assert.Equal(t, name == "all right", report.Err() == nil)
			assert.Len(t, report.CompleteTraces, report.Complete)
			assert.Equal(t, name == "all right", len(report.Examples) == 0)
			test.want.Requests, test.want.Spans = 2, len(spans)
			report.CompleteTraces, report.Examples = nil, nil
			assert.Equal(t, &test.want, report)
		})
	}
}

// setTrace puts all spans into one trace.
func setTrace(spans []Span, id byte) []Span {
	for i := range spans {
		spans[i].Trace = pcommon.TraceID{id}
	}
	return spans
}

func TestSteps(t *testing.T) {
	path := steps([]string{"nginx", "orders"})
	require.Len(t, path, SpansPerRequest(2))
	assert.Equal(t, []step{
		{"nginx", ptrace.SpanKindServer}, {"nginx", ptrace.SpanKindClient}, {"orders", ptrace.SpanKindServer},
	}, path)
}
