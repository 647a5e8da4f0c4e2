package sink

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/seqlink/seqlink/test/linker/load"
)

const traces = 200

func newSink() *Sink {
	return &Sink{expect: load.NewGenerator(0, 0, load.Mix{}), checked: map[uint64]*trace{}}
}

// requests returns all spans of the first traces, as both hosts send them.
func requests(t *testing.T) (all [][]byte, spans int) {
	t.Helper()
	for host := range load.Hosts {
		g := load.NewGenerator(host, 0, load.Mix{})
		for {
			b, n := g.Rest(nil, 500, traces, time.Now())
			if n == 0 {
				break
			}
			all, spans = append(all, b), spans+n
		}
	}
	return all, spans
}

// join gives the spans of a request the trace ids and parents that a linker gives them.
func join(t *testing.T, request []byte) ptrace.Traces {
	t.Helper()
	td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(request)
	require.NoError(t, err)
	expect := load.NewGenerator(0, 0, load.Mix{})
	for _, rs := range td.ResourceSpans().All() {
		for _, ps := range rs.ScopeSpans().At(0).Spans().All() {
			id := ps.SpanID()
			n, i := load.SpanOf(binary.BigEndian.Uint64(id[:]))
			var trace pcommon.TraceID
			binary.BigEndian.PutUint64(trace[:], n+1)
			ps.SetTraceID(trace)
			if expect.Expect(n)[i] < 0 {
				ps.SetParentSpanID(pcommon.SpanID{})
			}
		}
	}
	return td
}

func marshal(t *testing.T, td ptrace.Traces) []byte {
	t.Helper()
	b, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	require.NoError(t, err)
	return b
}

// firstChecked returns a span that is looked at.
func firstChecked(td ptrace.Traces) (spans ptrace.SpanSlice, i int) {
	for _, rs := range td.ResourceSpans().All() {
		spans := rs.ScopeSpans().At(0).Spans()
		for i, ps := range spans.All() {
			if id := ps.SpanID(); isChecked(binary.BigEndian.Uint64(id[:])) {
				return spans, i
			}
		}
	}
	panic("no span is looked at")
}

// What the generators made arrives as it is: it is counted as pdata counts it, and found
// wrong, because nobody joined it.
func TestCountsWhatNobodyJoined(t *testing.T) {
	s := newSink()
	all, made := requests(t)
	counted := 0
	for _, request := range all {
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(request)
		require.NoError(t, err)
		n := s.walk(request)
		require.Equal(t, td.SpanCount(), n)
		counted += n
	}
	require.Equal(t, made, counted)
	r := s.Result(0, traces)
	require.Equal(t, Result{Checked: traces/checkOneIn + 1, Complete: traces/checkOneIn + 1}, r)
}

func TestJoinedTracesAreRight(t *testing.T) {
	s := newSink()
	all, _ := requests(t)
	for _, request := range all {
		s.walk(marshal(t, join(t, request)))
	}
	const checked = traces/checkOneIn + 1
	require.Equal(t, Result{Checked: checked, Complete: checked, Right: checked}, s.Result(0, traces))
	require.Equal(t, 1, s.Result(1, checkOneIn+1).Checked)
}

// Each fault is found: in a trace id, in a parent, a span that is missing or comes twice.
func TestFaultsAreFound(t *testing.T) {
	const checked = traces/checkOneIn + 1
	for name, tt := range map[string]struct {
		spoil func(spans ptrace.SpanSlice, i int)
		want  Result
	}{
		"trace id": {
			func(spans ptrace.SpanSlice, i int) { spans.At(i).SetTraceID(pcommon.TraceID{1}) },
			Result{Checked: checked, Complete: checked, Right: checked - 1},
		},
		"parent": {
			func(spans ptrace.SpanSlice, i int) { spans.At(i).SetParentSpanID(pcommon.SpanID{1}) },
			Result{Checked: checked, Complete: checked, Right: checked - 1},
		},
		"missing": {
			func(spans ptrace.SpanSlice, i int) {
				id := spans.At(i).SpanID()
				spans.RemoveIf(func(s ptrace.Span) bool { return s.SpanID() == id })
			},
			Result{Checked: checked, Complete: checked - 1, Right: checked - 1},
		},
		"twice": {
			func(spans ptrace.SpanSlice, i int) { spans.At(i).CopyTo(spans.AppendEmpty()) },
			Result{Checked: checked, Complete: checked, Right: checked, Repeated: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSink()
			all, _ := requests(t)
			for i, request := range all {
				td := join(t, request)
				if i == 0 {
					tt.spoil(firstChecked(td))
				}
				s.walk(marshal(t, td))
			}
			require.Equal(t, tt.want, s.Result(0, traces))
		})
	}
}

// A message that is cut short or damaged does not upset it.
func TestWalkTakesAnything(t *testing.T) {
	s := newSink()
	all, _ := requests(t)
	for cut := range 600 {
		s.walk(all[0][:cut])
		s.walk(all[0][cut:])
	}
}

// Without a collector between them, the backend gets what the sender counted, and every
// trace is whole although parts of it come late and twice.
func TestSenderToSink(t *testing.T) {
	s, err := Start()
	require.NoError(t, err)
	defer s.Stop()
	sender := &load.Sender{
		Endpoint: s.Endpoint, Rate: 20_000, BatchSpans: 200, InFlight: 2, First: 1000,
		Mix: load.Mix{Late: 0.2, Duplicate: 0.1, LateMin: time.Second, LateMax: time.Minute},
	}
	stop, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	require.NoError(t, sender.Run(t.Context(), stop))
	require.Equal(t, sender.Sent.Load(), s.Spans.Load())
	require.Positive(t, sender.Duplicates.Load())
	require.Zero(t, sender.Refused.Load()+sender.Rejected.Load())
	first, last := sender.Traces()
	require.Equal(t, uint64(1000), first)
	r := s.Result(first, last)
	require.Positive(t, r.Checked)
	require.Equal(t, r.Checked, r.Complete)
	require.Positive(t, r.Repeated)
	// At most half a second at this rate, and one request more of each host: a busy
	// machine may send less.
	require.Less(t, s.Spans.Load(), uint64(sender.Rate/2+2500))
}
