package run

import (
	"fmt"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Report compares traces with the ground truth: what the services were asked.
type Report struct {
	// Requests is the number of requests answered, Spans that of all spans.
	Requests, Spans int
	// Complete counts requests whose trace holds exactly their spans, with one root
	// and every parent right. Each of the others is in one of the next three at least.
	Complete int
	// Missing and Extra count spans that a request lacks or has too many.
	Missing, Extra int
	// WrongParents counts spans whose parent is another span than it should be;
	// Unlinked counts those that should have one and have none.
	WrongParents, Unlinked int
	// SplitTraces counts requests whose spans lie in several traces, MixedTraces
	// traces that hold spans of several requests.
	SplitTraces, MixedTraces int
	// Unasked counts spans of requests that nobody sent.
	Unasked int
	// CompleteTraces are the ids of the traces of the complete requests.
	CompleteTraces []pcommon.TraceID
	// Examples describe the first faults.
	Examples []string
}

const maxExamples = 8

// step is a span as it should be: each one's parent is the one before it.
type step struct {
	service string
	kind    ptrace.SpanKind
}

// steps returns the spans of one request through a chain of services: the server's
// span of each, and the client's span of each but the last.
func steps(services []string) []step {
	var path []step
	for i, service := range services {
		path = append(path, step{service, ptrace.SpanKindServer})
		if i+1 < len(services) {
			path = append(path, step{service, ptrace.SpanKindClient})
		}
	}
	return path
}

// SpansPerRequest is the number of spans that one request through so many services makes.
func SpansPerRequest(services int) int { return 2*services - 1 }

// Check compares the spans with the requests that were answered.
func Check(spans []Span, requests, services []string) *Report {
	report := &Report{Requests: len(requests), Spans: len(spans)}
	byRequest := map[string][]Span{}
	byTrace := map[pcommon.TraceID]map[string]bool{}
	for _, span := range spans {
		byRequest[span.Request] = append(byRequest[span.Request], span)
		if byTrace[span.Trace] == nil {
			byTrace[span.Trace] = map[string]bool{}
		}
		byTrace[span.Trace][span.Request] = true
	}
	report.checkMixed(byTrace)
	path := steps(services)
	for _, request := range requests {
		report.checkRequest(request, byRequest[request], path, byTrace)
		delete(byRequest, request)
	}
	for request, unasked := range byRequest {
		report.Unasked += len(unasked)
		report.example("%d spans of a request %q that nobody sent", len(unasked), request)
	}
	return report
}

func (r *Report) checkMixed(byTrace map[pcommon.TraceID]map[string]bool) {
	for trace, requests := range byTrace {
		if len(requests) > 1 {
			r.MixedTraces++
			r.example("trace %s holds spans of %d requests", trace, len(requests))
		}
	}
}

// checkRequest checks one request's spans and counts it as complete if all is right.
func (r *Report) checkRequest(request string, spans []Span, path []step, byTrace map[pcommon.TraceID]map[string]bool) {
	row, whole := r.arrange(request, spans, path)
	right := r.checkParents(request, row)
	traces := map[pcommon.TraceID]bool{}
	mixed := false
	for _, span := range spans {
		traces[span.Trace] = true
		mixed = mixed || len(byTrace[span.Trace]) > 1
	}
	if len(traces) > 1 {
		r.SplitTraces++
		r.example("request %s: its spans lie in %d traces", request, len(traces))
	}
	if whole && right && !mixed && len(traces) == 1 {
		r.Complete++
		r.CompleteTraces = append(r.CompleteTraces, spans[0].Trace)
	}
}

// arrange puts a request's spans into the order of the path, nil where one is missing.
func (r *Report) arrange(request string, spans []Span, path []step) (row []*Span, whole bool) {
	row, whole = make([]*Span, len(path)), true
	for i := range spans {
		at := slices.Index(path, step{spans[i].Service, spans[i].Kind})
		if at < 0 || row[at] != nil {
			r.Extra++
			r.example("request %s: %s more than asked for", request, &spans[i])
			whole = false
			continue
		}
		row[at] = &spans[i]
	}
	for i, span := range row {
		if span == nil {
			r.Missing++
			r.example("request %s: no %s span of %s", request, strings.ToLower(path[i].kind.String()), path[i].service)
			whole = false
		}
	}
	return row, whole
}

// checkParents compares each span's parent with the span before it. A parent that
// is missing itself cannot be compared with, unless none is named.
func (r *Report) checkParents(request string, row []*Span) bool {
	right := true
	for i, span := range row {
		if span == nil {
			continue
		}
		switch {
		case i > 0 && span.Parent.IsEmpty():
			r.Unlinked++
		case i == 0 && !span.Parent.IsEmpty(), i > 0 && row[i-1] != nil && span.Parent != row[i-1].ID:
			r.WrongParents++
		default:
			continue
		}
		right = false
		r.example("request %s: the parent of %s is %q", request, span, span.Parent)
	}
	return right
}

func (s *Span) String() string {
	name := s.Service + " " + strings.ToLower(s.Kind.String())
	if s.Method != "" {
		name += " (" + s.Method + ")"
	}
	return fmt.Sprintf("%s %s", name, s.ID)
}

func (r *Report) example(format string, args ...any) {
	if len(r.Examples) < maxExamples {
		r.Examples = append(r.Examples, fmt.Sprintf(format, args...))
	}
}

// Err returns what is wrong, nil where every request gave exactly its trace.
func (r *Report) Err() error {
	if r.Complete == r.Requests && r.Unasked == 0 && r.MixedTraces == 0 {
		return nil
	}
	return fmt.Errorf("%s\n%s", r, strings.Join(r.Examples, "\n"))
}

func (r *Report) String() string {
	return fmt.Sprintf("%d of %d requests gave one complete trace each (%d spans: %d missing, %d extra, %d unasked;"+
		" %d wrong parents, %d unlinked; %d traces split, %d mixed)",
		r.Complete, r.Requests, r.Spans, r.Missing, r.Extra, r.Unasked, r.WrongParents, r.Unlinked, r.SplitTraces, r.MixedTraces)
}
