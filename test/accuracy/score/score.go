package score

import (
	"fmt"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/seqlink/seqlink/examples/run"
)

// Result is how well the calls of a run were linked to their requests.
type Result struct {
	// Requests is how many were scored, Calls how many calls they made, Parents how many of
	// these have a parent, or are right without one.
	Requests int `json:"requests"`
	Calls    int `json:"calls"`
	Parents  int `json:"parents"`
	// Precision is the share of right ones among the parents that calls have, 1 where none
	// has one. Recall is the
	// share of calls that are as they should be: with the right parent, or without one where
	// no request caused them or it was answered before; those count for Precision as well.
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	// FullyCorrect is the share of requests all of whose spans came, with the right parents
	// and in one trace of their own.
	FullyCorrect float64 `json:"fully_correct"`
	// OverMerged counts traces that hold spans of several requests.
	OverMerged int `json:"over_merged"`
	// LargestTrace is the number of spans of the largest trace that holds one that is scored.
	LargestTrace int `json:"largest_trace"`
	// Orphans are calls that have no parent and should, WrongParents those that have another
	// than they should. Doubtful are orphans that are linked to a request of which Seqlink
	// was not sure enough.
	Orphans      int `json:"orphans"`
	WrongParents int `json:"wrong_parents"`
	Doubtful     int `json:"doubtful"`
	// AfterResponse counts calls after the response that are linked to their request.
	AfterResponse int `json:"after_response,omitempty"`
	// WrongRemote counts server spans whose parent is not the call that they answer.
	WrongRemote int `json:"wrong_remote"`
	// Missing and Extra count spans that did not come, or that nobody asked for.
	Missing int `json:"missing_spans"`
	Extra   int `json:"extra_spans"`
	// Methods is the share of calls by seqlink.link.method of their parent, "none" without.
	Methods map[string]float64 `json:"methods"`
	// Calibration compares what each method claims with what is right.
	Calibration map[string]Calibration `json:"calibration"`
	// CalibrationError is the largest one of a method that made enough claims, as far as it is no chance.
	CalibrationError float64 `json:"calibration_error"`
	// Examples describe the first faults.
	Examples []string `json:"examples,omitempty"`
}

const (
	maxExamples = 5
	none        = "none"
)

// scorer scores the requests one after another.
type scorer struct {
	plan   Plan
	result Result
	// tokens holds those of each trace, and how many spans have each.
	tokens map[pcommon.TraceID]map[string]int
	// begin and end are those of the scored requests.
	begin, end pcommon.Timestamp
	// right and whole count calls and requests as they should be.
	right, whole int
	methods      map[string]int
	claims       claims
	shared       shared
}

// Score compares spans with the requests that were answered. Spans of other requests only
// count where they are in the same trace.
func Score(spans []run.Span, plan Plan, requests []string) *Result {
	s := &scorer{
		plan: plan, tokens: make(map[pcommon.TraceID]map[string]int),
		methods: make(map[string]int), claims: make(claims), shared: newShared(spans),
	}
	byToken := make(map[string][]*run.Span)
	for i := range spans {
		span := &spans[i]
		if ofConnection(span) {
			continue
		}
		t := token(span)
		byToken[t] = append(byToken[t], span)
		if s.tokens[span.Trace] == nil {
			s.tokens[span.Trace] = make(map[string]int)
		}
		s.tokens[span.Trace][t]++
	}
	for _, request := range requests {
		s.request(request, byToken[request])
	}
	s.ownCalls(byToken[NoRequest])
	s.traces(requests)
	s.finish(len(requests))
	return &s.result
}

// traces looks at the traces that hold a scored span.
func (s *scorer) traces(requests []string) {
	scored := make(map[string]bool, len(requests))
	for _, r := range requests {
		scored[r] = true
	}
	for trace, tokens := range s.tokens {
		size, counts := 0, false
		for t, spans := range tokens {
			size += spans
			counts = counts || scored[t]
		}
		if !counts {
			continue
		}
		s.result.LargestTrace = max(s.result.LargestTrace, size)
		if len(tokens) > 1 {
			s.result.OverMerged++
			s.example("trace %s holds spans of %d requests", trace, len(tokens))
		}
	}
}

func (s *scorer) finish(requests int) {
	r := &s.result
	r.Requests = requests
	r.Precision, r.Recall = ratio(s.right, r.Parents), ratio(s.right, r.Calls)
	r.FullyCorrect = ratio(s.whole, requests)
	r.Methods = make(map[string]float64)
	for method, n := range s.methods {
		r.Methods[method] = ratio(n, r.Calls)
	}
	r.Calibration, r.CalibrationError = s.claims.calibrate()
}

// ratio is n of all; with none at all nothing is wrong.
func ratio(n, all int) float64 {
	if all == 0 {
		return 1
	}
	return float64(n) / float64(all)
}

func (s *scorer) example(format string, args ...any) {
	if len(s.result.Examples) < maxExamples {
		s.result.Examples = append(s.result.Examples, fmt.Sprintf(format, args...))
	}
}
