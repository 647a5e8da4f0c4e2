package load

import (
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

func TestIDsLeadBack(t *testing.T) {
	for _, n := range []uint64{0, 1, 77, 1 << 40} {
		for _, i := range []int{0, 5, slots - 2} {
			gotN, gotI := SpanOf(SpanNumber(n, i))
			require.Equal(t, n, gotN)
			require.Equal(t, i, gotI)
		}
	}
}

func TestTemplates(t *testing.T) {
	bytes, spans := 0, 0
	for _, tpl := range newTemplates() {
		require.LessOrEqual(t, len(tpl.spans), MaxSpans)
		require.GreaterOrEqual(t, len(tpl.spans), MinSpans)
		for _, s := range tpl.spans {
			require.Less(t, s.start, s.end)
			bytes += len(s.wire)
			spans++
		}
	}
	require.InDelta(t, 330, bytes/spans, 30, "bytes of a span")
	require.Greater(t, spans/templates, 10)
}

// Both hosts' requests together hold every span of every trace once, but duplicates,
// which are as their originals.
func TestRequestsDecodeToWhatIsExpected(t *testing.T) {
	const traces = 2000
	now := time.Unix(1_700_000_000, 0)
	seen := map[pcommon.SpanID]ptrace.Span{}
	expect := NewGenerator(0, 0, DefaultMix)
	var spans, duplicates int
	for host := range Hosts {
		g := NewGenerator(host, 0, DefaultMix)
		for round := 0; ; round++ {
			b, n := g.Rest(nil, 500, traces, now.Add(time.Duration(round)*time.Second))
			td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(b)
			require.NoError(t, err)
			require.Equal(t, td.SpanCount(), n)
			if n == 0 {
				break
			}
			spans += n
			for _, rs := range td.ResourceSpans().All() {
				name, ok := rs.Resource().Attributes().Get("service.name")
				require.True(t, ok)
				for _, ps := range rs.ScopeSpans().At(0).Spans().All() {
					checkSpan(t, expect, name.Str(), ps)
					if original, ok := seen[ps.SpanID()]; ok {
						require.Equal(t, original, ps)
						duplicates++
					}
					seen[ps.SpanID()] = ps
				}
			}
		}
		require.Positive(t, g.Duplicates)
		duplicates -= int(g.Duplicates)
	}
	require.Zero(t, duplicates, "as many come twice as were counted")
	whole := 0
	for n := range uint64(traces) {
		tpl := expect.template(n)
		for i, s := range tpl.spans {
			ps, ok := seen[spanID(SpanNumber(n, i))]
			require.True(t, ok, "span %d of trace %d", i, n)
			first := SpanNumber(n, tpl.segments[s.segment][0])
			require.Equal(t, traceID(mix(first), mix(^first)), ps.TraceID(), "one trace id for a segment")
		}
		whole += len(tpl.spans)
	}
	require.Len(t, seen, whole)
	require.InDelta(t, DefaultMix.Duplicate, float64(spans-whole)/float64(whole), 0.003)
	require.InEpsilon(t, spans, expect.SpansOf(traces), 0.01)
}

// Late segments come when they are due, not before, with the times that they had.
func TestLateSegments(t *testing.T) {
	made := time.Unix(1_700_000_000, 0)
	g := NewGenerator(0, 0, Mix{Late: 0.05, LateMin: time.Second, LateMax: 15 * time.Second})
	_, spans := g.Batch(nil, 50_000, made)
	due := func(after time.Duration) ptrace.Traces {
		at := made.Add(after).UnixNano()
		b, _ := g.batch(nil, math.MaxInt, g.next, at, at)
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(b)
		require.NoError(t, err)
		return td
	}
	require.Zero(t, due(time.Second-1).SpanCount())
	early, late := due(8*time.Second), due(15*time.Second)
	require.Empty(t, g.late.segments)
	came := early.SpanCount() + late.SpanCount()
	require.InDelta(t, 0.05, float64(came)/float64(spans+came), 0.01)
	require.InDelta(t, 0.5, float64(early.SpanCount())/float64(came), 0.1)
	for _, rs := range late.ResourceSpans().All() {
		for _, ps := range rs.ScopeSpans().At(0).Spans().All() {
			require.WithinRange(t, ps.EndTimestamp().AsTime(), made.Add(-time.Second), made)
		}
	}
}

func checkSpan(t *testing.T, g *Generator, service string, ps ptrace.Span) {
	id := ps.SpanID()
	n, i := SpanOf(binary.BigEndian.Uint64(id[:]))
	s := g.template(n).spans[i]
	require.Equal(t, services[s.service].name, service)
	require.Less(t, ps.StartTimestamp(), ps.EndTimestamp())
	require.Equal(t, s.server, ps.Kind() == ptrace.SpanKindServer)
	var parent pcommon.SpanID
	binary.BigEndian.PutUint64(parent[:], g.parent(n, &s))
	require.Equal(t, parent, ps.ParentSpanID())
}

func BenchmarkBatch(b *testing.B) {
	g := NewGenerator(0, 0, DefaultMix)
	var buffer []byte
	spans := 0
	for b.Loop() {
		var n int
		buffer, n = g.Batch(buffer[:0], 500, time.Now())
		spans += n
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(spans), "ns/span")
}
