package score

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/seqlink/seqlink/examples/run"
)

// family are the spans of one request, as its services made them.
type family struct {
	servers, calls [][]*run.Span
}

func (s *scorer) request(request string, spans []*run.Span) {
	f := s.family(request, spans)
	whole := s.complete(request, f)
	var trace pcommon.TraceID
	if len(f.servers[0]) > 0 {
		front := f.servers[0][0]
		trace = front.Trace
		if s.begin == 0 || front.Start < s.begin {
			s.begin = front.Start
		}
		s.end = max(s.end, front.End)
	}
	background := false
	for i := range s.plan {
		whole = s.serversRight(request, f, i) && whole
		background = background || s.plan[i].Background || s.plan[i].Shared
		if s.plan[i].Shared {
			whole = s.sharedRight(request, f, i) && whole
		} else {
			whole = s.callsRight(request, f, i) && whole
		}
		if !background {
			whole = together(f.servers[i], trace) && together(f.calls[i], trace) && whole
		}
	}
	for _, span := range spans {
		whole = whole && len(s.tokens[span.Trace]) == 1
	}
	if whole {
		s.whole++
	}
}

// family sorts the spans of a request by their services.
func (s *scorer) family(request string, spans []*run.Span) family {
	f := family{make([][]*run.Span, len(s.plan)), make([][]*run.Span, len(s.plan))}
	for _, span := range spans {
		i := s.index(span.Service)
		switch {
		case i >= 0 && span.Kind == ptrace.SpanKindServer:
			f.servers[i] = append(f.servers[i], span)
		case i >= 0 && span.Kind == ptrace.SpanKindClient:
			f.calls[i] = append(f.calls[i], span)
		default:
			s.result.Extra++
			s.example("request %s: %s is of no service that was asked", request, span)
		}
	}
	return f
}

func (s *scorer) index(service string) int {
	for i := range s.plan {
		if s.plan[i].Name == service || slices.Contains(s.plan[i].Others, service) {
			return i
		}
	}
	return -1
}

func together(spans []*run.Span, trace pcommon.TraceID) bool {
	for _, span := range spans {
		if span.Trace != trace {
			return false
		}
	}
	return true
}

// complete counts the spans that are missing or too many.
func (s *scorer) complete(request string, f family) bool {
	whole := true
	for i, served := range s.plan.served() {
		if s.plan[i].Shared || i > 0 && s.plan[i-1].Shared && len(f.servers[i]) == len(f.calls[i-1]) {
			continue
		}
		for kind, balance := range map[string]int{
			"server": len(f.servers[i]) - served, "client": len(f.calls[i]) - served*s.plan[i].Calls,
		} {
			if balance == 0 {
				continue
			}
			whole = false
			s.result.Missing += max(0, -balance)
			s.result.Extra += max(0, balance)
			s.example("request %s: %+d %s spans of %s", request, balance, kind, s.plan[i].Name)
		}
	}
	return whole
}

// serversRight checks that a service's server spans are children of the calls before it,
// one each, and that the front's are roots.
func (s *scorer) serversRight(request string, f family, i int) bool {
	right := true
	taken := make(map[pcommon.SpanID]bool)
	for _, span := range f.servers[i] {
		ok := span.Parent.IsEmpty()
		if i > 0 {
			ok = !taken[span.Parent] && has(f.calls[i-1], span.Parent)
			taken[span.Parent] = true
		}
		if !ok {
			right = false
			s.result.WrongRemote++
			s.example("request %s: the parent of %s is %q", request, span, span.Parent)
		}
	}
	return right
}

func has(spans []*run.Span, id pcommon.SpanID) bool {
	for _, span := range spans {
		if span.ID == id {
			return true
		}
	}
	return false
}

// callsRight scores a service's calls.
func (s *scorer) callsRight(request string, f family, i int) bool {
	right := true
	for _, span := range f.calls[i] {
		s.result.Calls++
		s.claim(span, f.servers[i], s.plan[i].Background)
		if s.plan[i].Background {
			right = s.backgroundRight(request, span, f.servers[i]) && right
		} else {
			right = s.callRight(request, span, f.servers[i]) && right
		}
	}
	return right
}

func (s *scorer) callRight(request string, span *run.Span, servers []*run.Span) bool {
	if span.Parent.IsEmpty() {
		s.methods[none]++
		s.result.Orphans++
		if len(span.Candidates) > 0 {
			s.result.Doubtful++
		}
		s.example("request %s: %s has no parent", request, span)
		return false
	}
	s.result.Parents++
	s.methods[span.Method]++
	if !has(servers, span.Parent) {
		s.result.WrongParents++
		s.example("request %s: the parent of %s is %q", request, span, span.Parent)
		return false
	}
	s.right++
	return true
}

// backgroundRight scores a call after the response: it is no child of a request.
func (s *scorer) backgroundRight(request string, span *run.Span, servers []*run.Span) bool {
	s.result.Parents++
	if !span.Parent.IsEmpty() {
		s.methods[span.Method]++
		s.result.WrongParents++
		s.example("request %s: %s began after the response and has a parent", request, span)
		return false
	}
	s.right++
	s.methods[none]++
	for _, c := range span.Candidates {
		if has(servers, c.ID) {
			s.result.AfterResponse++
			break
		}
	}
	return true
}

// afterResponse is the method of calls that began after the response.
const afterResponse = "after_response"

// ownCalls scores the calls of services that no request caused, as far as they began while
// there were requests.
func (s *scorer) ownCalls(spans []*run.Span) {
	for _, span := range spans {
		i := s.index(span.Service)
		if i < 0 || !s.plan[i].OwnCalls || span.Kind != ptrace.SpanKindClient || span.Start < s.begin || span.Start > s.end {
			continue
		}
		s.result.Calls++
		s.result.Parents++
		if !s.plan[i].Messages || len(span.Candidates) != 1 || span.Candidates[0].Method != afterResponse {
			s.claim(span, nil, true)
		}
		if span.Parent.IsEmpty() {
			s.right++
			s.methods[none]++
			continue
		}
		s.methods[span.Method]++
		s.result.WrongParents++
		s.example("%s has a parent, and no request caused it", span)
	}
}

// claim notes what Seqlink says of the span's request, and whether that is so. A request
// that was answered is not the parent of what follows.
func (s *scorer) claim(span *run.Span, servers []*run.Span, background bool) {
	if !span.Parent.IsEmpty() && span.Method != "" {
		s.claims.add(span.Method, span.Confidence, !background && has(servers, span.Parent))
	}
	for _, c := range span.Candidates {
		s.claims.add(c.Method, c.Confidence, has(servers, c.ID))
	}
}
