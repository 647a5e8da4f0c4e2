package run

import (
	"slices"
	"strings"
	"sync"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Span is what the checks need of a span.
type Span struct {
	Trace  pcommon.TraceID
	ID     pcommon.SpanID
	Parent pcommon.SpanID
	// Service is the resource's service.name.
	Service string
	Kind    ptrace.SpanKind
	// Request is the last segment of url.path: the id that each service passes on.
	Request string
	// Method is seqlink.link.method.
	Method string
}

// Spans collects what the collector exports.
type Spans struct {
	mutex sync.Mutex
	spans []Span
}

// Len returns the number of spans so far.
func (s *Spans) Len() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return len(s.spans)
}

// All returns the spans so far.
func (s *Spans) All() []Span {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return slices.Clone(s.spans)
}

func (s *Spans) add(traces ptrace.Traces) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, resource := range traces.ResourceSpans().All() {
		service := text(resource.Resource().Attributes(), "service.name")
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				s.spans = append(s.spans, newSpan(service, span))
			}
		}
	}
}

func newSpan(service string, span ptrace.Span) Span {
	return Span{
		Trace:   span.TraceID(),
		ID:      span.SpanID(),
		Parent:  span.ParentSpanID(),
		Service: service,
		Kind:    span.Kind(),
		Request: lastSegment(text(span.Attributes(), "url.path")),
		Method:  text(span.Attributes(), "seqlink.link.method"),
	}
}

func text(attributes pcommon.Map, key string) string {
	value, ok := attributes.Get(key)
	if !ok {
		return ""
	}
	return value.AsString()
}

func lastSegment(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
