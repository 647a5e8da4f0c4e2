package score

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/seqlink/seqlink/examples/run"
)

// plan is a front that makes two calls to a leaf.
var plan = Plan{{Name: "front", Calls: 2}, {Name: "leaf"}}

// spans are those of one request, all right: the front's server, its two calls, and the two
// servers that answer them.
func spans(request int) []run.Span {
	span := func(n byte, parent byte, service string, kind ptrace.SpanKind) run.Span {
		s := run.Span{
			Trace: pcommon.TraceID{byte(request)}, ID: pcommon.SpanID{byte(request), n}, Service: service, Kind: kind,
			Query: fmt.Sprintf("item=7&truth=%d", request),
		}
		if parent > 0 {
			s.Parent = pcommon.SpanID{byte(request), parent}
		}
		if kind == ptrace.SpanKindClient {
			s.Method, s.Confidence = "loop", 0.98
		}
		return s
	}
	return []run.Span{
		span(1, 0, "front", ptrace.SpanKindServer),
		span(2, 1, "front", ptrace.SpanKindClient), span(3, 1, "front", ptrace.SpanKindClient),
		span(4, 2, "leaf", ptrace.SpanKindServer), span(5, 3, "leaf", ptrace.SpanKindServer),
	}
}

func TestPlanSpans(t *testing.T) {
	assert.Equal(t, 5, plan.Spans())
	assert.Equal(t, 1+1+1+3+3, Plan{{Name: "a", Calls: 1}, {Name: "b", Calls: 3}, {Name: "c"}}.Spans())
	assert.Equal(t, 1+2+2+4+4, Plan{{Name: "a", Calls: 2}, {Name: "b", Calls: 2}, {Name: "c"}}.Spans())
}

func TestScore(t *testing.T) {
	const front, first, second, answer = 0, 1, 2, 3
	doubt := func(s *run.Span, parent pcommon.SpanID) {
		s.Parent, s.Method = pcommon.SpanID{}, ""
		s.Candidates = []run.Candidate{{ID: parent, Method: "loop", Confidence: 0.5}}
	}
	for name, test := range map[string]struct {
		// change is done to the spans of the second of two requests.
		change func([]run.Span) []run.Span
		want   Result
	}{
		"all right": {
			want: Result{Precision: 1, Recall: 1, FullyCorrect: 1, Methods: map[string]float64{"loop": 1}},
		},
		"an orphan": {
			change: func(s []run.Span) []run.Span { s[first].Parent = pcommon.SpanID{}; return s },
			want:   Result{Precision: 1, Recall: 0.75, FullyCorrect: 0.5, Orphans: 1, Methods: map[string]float64{"loop": 0.75, "none": 0.25}},
		},
		"a doubtful parent": {
			change: func(s []run.Span) []run.Span { doubt(&s[first], s[front].ID); return s },
			want: Result{
				Precision: 1, Recall: 0.75, FullyCorrect: 0.5, Orphans: 1, Doubtful: 1,
				Methods: map[string]float64{"loop": 0.75, "none": 0.25},
			},
		},
		"another request's child": {
			change: func(s []run.Span) []run.Span {
				s[second].Parent, s[second].Trace = spans(1)[front].ID, spans(1)[front].Trace
				return s
			},
			want: Result{Precision: 0.75, Recall: 0.75, FullyCorrect: 0, WrongParents: 1, OverMerged: 1, Methods: map[string]float64{"loop": 1}},
		},
		"the leaf's child": {
			change: func(s []run.Span) []run.Span { s[second].Parent = s[answer].ID; return s },
			want:   Result{Precision: 0.75, Recall: 0.75, FullyCorrect: 0.5, WrongParents: 1, Methods: map[string]float64{"loop": 1}},
		},
		"two traces": {
			change: func(s []run.Span) []run.Span { s[answer].Trace = pcommon.TraceID{99}; return s },
			want:   Result{Precision: 1, Recall: 1, FullyCorrect: 0.5, Methods: map[string]float64{"loop": 1}},
		},
		"two answers to one call": {
			change: func(s []run.Span) []run.Span { s[answer].Parent = s[second].ID; return s },
			want:   Result{Precision: 1, Recall: 1, FullyCorrect: 0.5, WrongRemote: 1, Methods: map[string]float64{"loop": 1}},
		},
		"a span too few": {
			change: func(s []run.Span) []run.Span { return s[:4] },
			want:   Result{Precision: 1, Recall: 1, FullyCorrect: 0.5, Missing: 1, Methods: map[string]float64{"loop": 1}},
		},
		"a span too many": {
			change: func(s []run.Span) []run.Span {
				more := s[first]
				more.ID = pcommon.SpanID{88}
				return append(s, more)
			},
			want: Result{Precision: 1, Recall: 1, FullyCorrect: 0.5, Extra: 1, Methods: map[string]float64{"loop": 1}},
		},
		"an unknown service": {
			change: func(s []run.Span) []run.Span { s[answer].Service = "other"; return s },
			want:   Result{Precision: 1, Recall: 1, FullyCorrect: 0.5, Missing: 1, Extra: 1, Methods: map[string]float64{"loop": 1}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			all, second := spans(1), spans(2)
			if test.change != nil {
				second = test.change(second)
			}
			got := Score(append(all, second...), plan, []string{"1", "2"})
			assert.Equal(t, got.Calls-got.Orphans, got.Parents)
			test.want.Requests, test.want.Calls, test.want.Parents = 2, got.Calls, got.Parents
			assert.GreaterOrEqual(t, got.LargestTrace, 5)
			got.Calibration, got.Examples, got.LargestTrace = nil, nil, 0
			assert.Equal(t, &test.want, got)
		})
	}
}

// Requests that are not scored count only where they are merged with others.
func TestScoreLeavesOthersOut(t *testing.T) {
	warm := spans(1)
	warm[1].Parent = pcommon.SpanID{}
	got := Score(append(warm, spans(2)...), plan, []string{"2"})
	assert.InDelta(t, 1, got.Recall, 0)
	assert.Equal(t, 2, got.Calls)
	for i := range warm {
		warm[i].Trace = spans(2)[0].Trace
	}
	got = Score(append(warm, spans(2)...), plan, []string{"2"})
	assert.Equal(t, 1, got.OverMerged)
	assert.Equal(t, 10, got.LargestTrace)
	assert.Zero(t, got.FullyCorrect)
}

// A call that began after the response is right without a parent, in a trace of its own.
func TestScoreBackground(t *testing.T) {
	background := Plan{{Name: "front", Calls: 2, Background: true}, {Name: "leaf"}}
	all := spans(1)
	got := Score(all, background, []string{"1"})
	assert.Zero(t, got.Precision)
	assert.Equal(t, 2, got.WrongParents)
	for i := 1; i < 3; i++ {
		all[i].Parent, all[i].Method, all[i].Trace = pcommon.SpanID{}, "", pcommon.TraceID{40 + byte(i)}
		all[i+2].Trace = all[i].Trace
	}
	all[1].Candidates = []run.Candidate{{ID: all[0].ID, Method: "after_response", Confidence: 1}}
	got = Score(all, background, []string{"1"})
	assert.InDelta(t, 1, got.Precision, 0)
	assert.InDelta(t, 1, got.Recall, 0)
	assert.InDelta(t, 1, got.FullyCorrect, 0)
	assert.Equal(t, 1, got.AfterResponse)
	assert.Equal(t, map[string]float64{"none": 1}, got.Methods)
}

// What a service does by itself has no parent.
func TestScoreOwnCalls(t *testing.T) {
	own := Plan{{Name: "front", Calls: 2, OwnCalls: true}, {Name: "leaf"}}
	alone := spans(9)[1]
	alone.Query, alone.Parent, alone.Method = "truth=none", pcommon.SpanID{}, ""
	assert.False(t, OfRequest(&alone))
	request := spans(1)
	request[0].Start, request[0].End, alone.Start = 1000, 2000, 1500
	before, after := alone, alone
	before.Start, after.Start = 999, 2001
	got := Score(append(request, alone, before, after), own, []string{"1"})
	assert.Equal(t, 3, got.Calls)
	assert.InDelta(t, 1, got.Precision, 0)
	assert.InDelta(t, 1, got.Recall, 0)
	alone.Parent, alone.Trace, alone.Method = spans(1)[0].ID, spans(1)[0].Trace, "thread"
	got = Score(append(request, alone), own, []string{"1"})
	assert.InDelta(t, 2.0/3, got.Precision, 1e-9)
	assert.Equal(t, 1, got.WrongParents)
	assert.Equal(t, 1, got.OverMerged)
	assert.Zero(t, got.Calibration["thread"].Right)
}

func TestCalibration(t *testing.T) {
	claims := make(claims)
	for n := range 200 {
		claims.add("loop", 0.9, n%2 == 0)
		claims.add("thread", 0.99, true)
	}
	claims.add("rare", 1, false)
	for n := range 150 {
		claims.add("sparse", 0.5, n%5 < 3) // 0.6, with a standard error of 0.04
	}
	all, largest := claims.calibrate()
	assert.InDelta(t, 0.4, largest, 1e-9, "not that of what was claimed once")
	assert.InDelta(t, 0.4, all["loop"].Error, 1e-9)
	assert.InDelta(t, 0.01, all["thread"].Error, 1e-9)
	assert.InDelta(t, 1, all["rare"].Error, 1e-9)
	assert.InDelta(t, 0.1, all["sparse"].Error, 1e-9)
	assert.InDelta(t, 0.0816, all["sparse"].Chance, 1e-4)
	delete(claims, "loop")
	delete(claims, "sparse")
	_, largest = claims.calibrate()
	assert.InDelta(t, 0, largest, 1e-9, "0.01 of 200 may be chance")
	assert.Equal(t, 200, all["loop"].Claims)
	assert.InDelta(t, 0.5, all["loop"].Right, 1e-9)
}

// What is claimed is scored whether it made a parent or not.
func TestClaims(t *testing.T) {
	all := spans(1)
	all[1].Candidates = []run.Candidate{{ID: pcommon.SpanID{77}, Method: "loop", Confidence: 0.02}}
	got := Score(all, plan, []string{"1"})
	assert.Equal(t, 3, got.Calibration["loop"].Claims)
	assert.InDelta(t, 2.0/3, got.Calibration["loop"].Right, 1e-9)
}
