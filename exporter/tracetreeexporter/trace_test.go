package tracetreeexporter

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// epoch is when test traces start.
var epoch = time.Date(2026, 11, 22, 6, 20, 1, 123_000_000, time.UTC)

// testSpan describes a span; times are from epoch.
type testSpan struct {
	trace      byte
	id, parent byte
	service    string
	name       string
	kind       ptrace.SpanKind
	from, to   time.Duration
	attributes map[string]any
	resource   map[string]any
	failed     bool
	remote     bool
	// context is the propagator of a link to the parent.
	context string
}

// server is a span whose parent is at the other end of its connection.
func server(id, parent byte, service, path string, code int, from, to time.Duration) testSpan {
	return testSpan{
		id: id, parent: parent, service: service, kind: ptrace.SpanKindServer, from: from, to: to, remote: parent != 0,
		attributes: httpAttributes(path, code),
	}
}

// call is a client span whose parent was found by method.
func call(id, parent byte, service, path string, code int, from, to time.Duration, method string, confidence float64) testSpan {
	s := testSpan{
		id: id, parent: parent, service: service, kind: ptrace.SpanKindClient, from: from, to: to,
		attributes: httpAttributes(path, code),
	}
	s.attributes[attributeLinkMethod] = method
	s.attributes[attributeLinkConfidence] = confidence
	return s
}

func httpAttributes(path string, code int) map[string]any {
	return map[string]any{attributeRequestMethod: "GET", attributeURLPath: path, attributeStatusCode: code}
}

func (s testSpan) failing(errorType string) testSpan {
	s.failed = true
	s.attributes[attributeErrorType] = errorType
	return s
}

func (s testSpan) in(trace byte) testSpan {
	s.trace = trace
	return s
}

func makeTraces(spans ...testSpan) ptrace.Traces {
	traces := ptrace.NewTraces()
	for _, s := range spans {
		resource := traces.ResourceSpans().AppendEmpty()
		_ = resource.Resource().Attributes().FromRaw(s.resource)
		if s.service != "" {
			resource.Resource().Attributes().PutStr(attributeServiceName, s.service)
		}
		s.fill(resource.ScopeSpans().AppendEmpty().Spans().AppendEmpty())
	}
	return traces
}

func (s testSpan) fill(to ptrace.Span) {
	to.SetTraceID(pcommon.TraceID{15: s.trace})
	to.SetSpanID(pcommon.SpanID{7: s.id})
	to.SetParentSpanID(pcommon.SpanID{7: s.parent})
	to.SetKind(s.kind)
	to.SetName(s.name)
	to.SetStartTimestamp(pcommon.NewTimestampFromTime(epoch.Add(s.from)))
	to.SetEndTimestamp(pcommon.NewTimestampFromTime(epoch.Add(s.to)))
	to.SetFlags(flagHasIsRemote)
	if s.remote {
		to.SetFlags(flagHasIsRemote | flagIsRemote)
	}
	if s.failed {
		to.Status().SetCode(ptrace.StatusCodeError)
	}
	_ = to.Attributes().FromRaw(s.attributes)
	if s.context != "" {
		link := to.Links().AppendEmpty()
		link.SetTraceID(to.TraceID())
		link.SetSpanID(to.ParentSpanID())
		link.Attributes().PutStr(attributeContext, s.context)
	}
}

// makeTree makes one trace of spans, whatever their trace.
func makeTree(spans ...testSpan) *tree {
	trace := &heldTrace{id: pcommon.TraceID{15: spans[0].trace}}
	for _, resource := range makeTraces(spans...).ResourceSpans().All() {
		trace.spans = append(trace.spans, newSpan(resource.Resource(), resource.ScopeSpans().At(0).Spans().At(0)))
	}
	return newTree(trace)
}
