package load

import (
	"encoding/binary"
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
		require.NotEmpty(t, tpl.spans)
		for _, s := range tpl.spans {
			require.Less(t, s.start, s.end)
			bytes += len(s.wire)
			spans++
		}
	}
	require.InDelta(t, 330, bytes/spans, 30, "bytes of a span")
	require.Greater(t, spans/templates, 10)
}

// Both hosts' batches together hold every span of every trace once, and those that
// come late later.
func TestBatchesDecodeToWhatIsExpected(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	seen := map[uint64]int{}
	traces := map[uint64]uint64{} // provisional trace id by span
	var made uint64
	first := NewGenerator(0, 0, DefaultMix)
	for host := range Hosts {
		g := NewGenerator(host, 0, DefaultMix)
		for round := range 40 {
			at := now.Add(time.Duration(round) * time.Second)
			if round >= 20 {
				g.next = 1 << 30 // only what is late comes
			}
			b, n := g.Batch(nil, 500, at)
			td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(b)
			require.NoError(t, err)
			require.Equal(t, td.SpanCount(), n)
			made += uint64(n)
			for _, rs := range td.ResourceSpans().All() {
				name, ok := rs.Resource().Attributes().Get("service.name")
				require.True(t, ok)
				for _, ps := range rs.ScopeSpans().At(0).Spans().All() {
					checkSpan(t, first, name.Str(), ps)
					id := ps.SpanID()
					seen[binary.BigEndian.Uint64(id[:])]++
					trace := ps.TraceID()
					traces[binary.BigEndian.Uint64(id[:])] = binary.BigEndian.Uint64(trace[:])
				}
			}
		}
		require.Positive(t, g.Duplicates)
	}
	require.Greater(t, made, uint64(20_000))
	for n := range uint64(300) {
		tpl := first.template(n)
		for i, s := range tpl.spans {
			id := SpanNumber(n, i)
			require.Positive(t, seen[id], "span %d of trace %d", i, n)
			require.Equal(t, mix(SpanNumber(n, tpl.segments[s.segment][0])), traces[id], "one trace id for a segment")
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
