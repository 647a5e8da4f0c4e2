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
	// Start and End are its times.
	Start, End pcommon.Timestamp
	// Request is the last segment of url.path: the id that each service passes on.
	Request string
	// Query is url.query, Statement db.query.text; Database says that it is of a call to a database.
	Query, Statement string
	Database         bool
	// Procedure is rpc.method.
	Procedure string
	// Method is seqlink.link.method, and Confidence seqlink.link.confidence.
	Method     string
	Confidence float64
	// Candidates are the span links to requests that may have caused the span.
	Candidates []Candidate
}

// Candidate is a request to which a span is linked, and how sure that is.
type Candidate struct {
	ID         pcommon.SpanID
	Method     string
	Confidence float64
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

func (s *Spans) count(those func(*Span) bool) (n int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for i := range s.spans {
		if those(&s.spans[i]) {
			n++
		}
	}
	return n
}

// All returns the spans so far.
func (s *Spans) All() []Span {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return slices.Clone(s.spans)
}

// Add takes what was exported.
func (s *Spans) Add(traces ptrace.Traces) {
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
		Start:   span.StartTimestamp(),
		End:     span.EndTimestamp(),
		Request: lastSegment(text(span.Attributes(), "url.path")),
		Query:   text(span.Attributes(), "url.query"),

		Statement: text(span.Attributes(), "db.query.text"),
		Procedure: text(span.Attributes(), "rpc.method"),
		Database:  text(span.Attributes(), "db.system.name") != "",

		Method:     text(span.Attributes(), linkMethod),
		Confidence: number(span.Attributes(), linkConfidence),
		Candidates: candidates(span),
	}
}

const (
	linkMethod     = "seqlink.link.method"
	linkConfidence = "seqlink.link.confidence"
)

func candidates(span ptrace.Span) []Candidate {
	var found []Candidate
	for _, link := range span.Links().All() {
		if method := text(link.Attributes(), linkMethod); method != "" {
			found = append(found, Candidate{ID: link.SpanID(), Method: method, Confidence: number(link.Attributes(), linkConfidence)})
		}
	}
	return found
}

func number(attributes pcommon.Map, key string) float64 {
	value, ok := attributes.Get(key)
	if !ok {
		return 0
	}
	return value.Double()
}

func text(attributes pcommon.Map, key string) string {
	value, ok := attributes.Get(key)
	if !ok {
		return ""
	}
	return value.AsString()
}

func lastSegment(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
