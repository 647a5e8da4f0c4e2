package score

import (
	"net/url"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/seqlink/seqlink/examples/run"
)

// Serves is the name of the query's parameter that lists the tokens, separated by commas, of the
// requests that a call may be for besides the one whose token it has.
const Serves = "serves"

// shared is what spans tell of services whose calls serve several requests.
type shared struct {
	// requests holds the tokens of server spans.
	requests map[pcommon.SpanID]string
	// served holds the calls that are related to a server span, as its children or by a span link.
	served map[pcommon.SpanID][]*run.Span
}

func newShared(spans []run.Span) shared {
	s := shared{make(map[pcommon.SpanID]string), make(map[pcommon.SpanID][]*run.Span)}
	for i := range spans {
		span := &spans[i]
		if span.Kind == ptrace.SpanKindServer {
			s.requests[span.ID] = token(span)
			continue
		}
		for _, id := range relations(span) {
			s.served[id] = append(s.served[id], span)
		}
	}
	return s
}

// relations are the requests that a call is said to be for.
func relations(span *run.Span) (ids []pcommon.SpanID) {
	if !span.Parent.IsEmpty() {
		ids = append(ids, span.Parent)
	}
	for _, c := range span.Candidates {
		ids = append(ids, c.ID)
	}
	return ids
}

// mayServe reports whether a call may be for the request with that token.
func mayServe(span *run.Span, request string) bool {
	values, err := url.ParseQuery(span.Query)
	if err != nil {
		return false
	}
	return values.Get(Token) == request || slices.Contains(strings.Split(values.Get(Serves), ","), request)
}

// sharedRight scores what is said of one request to a service whose calls may serve others: its own
// call, if it made one, must be related to nobody whom it cannot serve, and the request to a call that may
// serve it. It counts as one call.
func (s *scorer) sharedRight(request string, f family, i int) bool {
	s.result.Calls++
	wrong := false
	for _, span := range f.calls[i] {
		for _, id := range relations(span) {
			if of := s.shared.requests[id]; !mayServe(span, of) {
				wrong = true
				s.example("request %s: %s is said to be for request %s", request, span, of)
			}
		}
		s.claimShared(span)
	}
	if wrong {
		s.result.Parents++
		s.result.WrongParents++
		s.methods[f.calls[i][0].Method]++
		return false
	}
	for _, server := range f.servers[i] {
		for _, span := range s.shared.served[server.ID] {
			if mayServe(span, request) {
				s.result.Parents++
				s.methods[methodFor(span, server.ID)]++
				s.right++
				return true
			}
		}
	}
	s.methods[none]++
	s.result.Orphans++
	s.example("request %s: no call is related to it", request)
	return false
}

func (s *scorer) claimShared(span *run.Span) {
	if !span.Parent.IsEmpty() {
		s.claims.add(span.Method, span.Confidence, mayServe(span, s.shared.requests[span.Parent]))
	}
	for _, c := range span.Candidates {
		s.claims.add(c.Method, c.Confidence, mayServe(span, s.shared.requests[c.ID]))
	}
}

// methodFor is how a call was found to be for a request.
func methodFor(span *run.Span, id pcommon.SpanID) string {
	if span.Parent == id {
		return span.Method
	}
	for _, c := range span.Candidates {
		if c.ID == id {
			return c.Method
		}
	}
	return none
}
