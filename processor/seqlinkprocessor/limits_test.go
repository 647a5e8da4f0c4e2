package seqlinkprocessor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// traceSizes counts the spans that left by trace id.
func traceSizes(r *rig) map[pcommon.TraceID]int {
	sizes := map[pcommon.TraceID]int{}
	for _, ps := range r.emitted() {
		sizes[ps.TraceID()]++
	}
	return sizes
}

func TestATraceOfOneIDStopsGrowing(t *testing.T) {
	for name, restart := range map[string]func(*rig){"one run": func(*rig) {}, "restarted": (*rig).reopen} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(c *Config) { durable(t)(c); c.MaxSpansPerTrace = 100 })
			for batch := range uint64(10) {
				var spans []testSpan
				for i := range uint64(50) {
					id := batch*50 + i + 1
					spans = append(spans, sdk(7, id, id-1, ptrace.SpanKindInternal, local))
				}
				r.send(spans...)
				r.pass(r.cfg.Window / 4) // some left while others come
				if batch == 5 {
					restart(r)
				}
			}
			r.pass(r.cfg.Window)
			require.Len(t, r.byID(), 500, "nothing is lost")
			for id, n := range traceSizes(r) {
				require.LessOrEqual(t, n, 100, "trace %v", id)
			}
			require.LessOrEqual(t, len(traceSizes(r)), 8)
			require.Positive(t, r.counter("traces_limited", "limit", "max_spans_per_trace"))
			said := 0
			for _, ps := range r.emitted() {
				if limit, ok := ps.Attributes().Get(traceLimitAttribute); ok {
					require.Equal(t, "max_spans_per_trace", limit.Str())
					said++
				}
			}
			require.Positive(t, said)
			r.fresh()
		})
	}
}

func TestSegmentsThatWouldMakeATraceTooLargeStayApart(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxSpansPerTrace = 10 })
	var spans []testSpan
	for n := uint64(1); n <= 50; n++ { // a chain of 50 segments of two
		spans = append(spans, server(n, 2*n, 2*n-1), client(n, 2*n+1, 2*n))
	}
	r.send(spans...)
	r.pass(r.cfg.Window)
	byID := r.byID()
	require.Len(t, byID, 100)
	for id, n := range traceSizes(r) {
		require.LessOrEqual(t, n, 10, "trace %v", id)
	}
	require.Len(t, traceSizes(r), 10)
	// Where the chain is cut, a link keeps the relation.
	cut := byID[12]
	require.True(t, cut.ParentSpanID().IsEmpty())
	require.Equal(t, byID[11].TraceID(), cut.Links().At(0).TraceID())
	require.Equal(t, sid(11), cut.Links().At(0).SpanID())
	r.fresh()
}

func TestATraceThatIsTooLongStopsGrowing(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxTraceDuration = time.Minute })
	const minute = uint64(time.Minute)
	r.send(
		client(1, 0x10, 0).at(1, minute/2),
		server(2, 0x20, 0x10).at(2, minute/2),
		server(3, 0x30, 0x10).at(5*minute, 6*minute), // as if a connection's context were kept
		sdk(4, 0x40, 0, ptrace.SpanKindServer, 0).at(1, 2),
		sdk(4, 0x41, 0x40, ptrace.SpanKindInternal, 0).at(10*minute, 10*minute+1),
	)
	r.pass(r.cfg.Window)
	require.Equal(t, r.span(0x10).TraceID(), r.span(0x20).TraceID())
	require.NotEqual(t, r.span(0x10).TraceID(), r.span(0x30).TraceID())
	require.True(t, r.span(0x30).ParentSpanID().IsEmpty())
	require.Equal(t, sid(0x10), r.span(0x30).Links().At(0).SpanID())
	require.Equal(t, tid(4), r.span(0x40).TraceID())
	require.NotEqual(t, tid(4), r.span(0x41).TraceID())
	require.Positive(t, r.counter("traces_limited", "limit", "max_trace_duration"))
	r.fresh()
}

func TestASpanThatIsTooLongAloneIsATrace(t *testing.T) {
	r := newRig(t, nil)
	r.send(server(1, 0x10, 0).at(1, uint64(48*time.Hour)))
	r.pass(r.cfg.Window)
	require.Equal(t, derived(0x10), r.span(0x10).TraceID())
	require.Zero(t, r.counter("traces_limited"))
}

func TestContinuationsAreFixed(t *testing.T) {
	// Other linkers and other versions go on under the same ids.
	require.Equal(t, "5692161d100b05e5d56b1fbb9ceba9e8", continuationTraceID(tid(7), 1).String())
	require.NotEqual(t, continuationTraceID(tid(7), 1), continuationTraceID(tid(7), 2))
	require.NotEqual(t, continuationTraceID(tid(7), 1), continuationTraceID(tid(8), 1))
}

// Whatever is sent, work and memory stay within bounds that grow with the input alone.
func TestHostileInput(t *testing.T) {
	const n = 30_000
	inputs := map[string]func(i uint64) testSpan{
		"one span id in all traces":     func(i uint64) testSpan { return server(i, 7, 7) },
		"all name one parent":           func(i uint64) testSpan { return server(i, i+1, 1) },
		"all name one missing parent":   func(i uint64) testSpan { return server(i, i+1, 1<<60) },
		"a ring of all":                 func(i uint64) testSpan { return server(i, i, i%n+1) },
		"pairs whose parents cross":     func(i uint64) testSpan { return server(i, i, i^1) },
		"zero ids":                      func(i uint64) testSpan { return server(i%2, 0, 0) },
		"self-parents in one trace":     func(i uint64) testSpan { return client(1, i, i) },
		"one context for all":           func(i uint64) testSpan { return server(i, i, 0, testContext{9, 9}) },
		"contexts in a ring":            func(i uint64) testSpan { return server(i, i, 0, testContext{i%n + 1, i%n + 1}) },
		"times from all of history":     func(i uint64) testSpan { return server(1, i, i-1).at(mix64(i), mix64(i+1)) },
		"SDK spans in a ring of traces": func(i uint64) testSpan { return sdk(i, i, i%n+1, ptrace.SpanKindServer, remote|1) },
	}
	for name, span := range inputs {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			for i := uint64(1); i <= n; i += 1000 {
				spans := make([]testSpan, 0, 1000)
				for k := range uint64(1000) {
					spans = append(spans, span(i+k))
				}
				r.send(spans...)
			}
			require.Less(t, r.l.index.bytes(), n*600)
			r.pass(r.cfg.Window)
			require.EqualValues(t, n, r.counter("spans_emitted")+r.counter("spans_duplicate"))
			for id, spans := range traceSizes(r) {
				require.True(t, spans <= r.cfg.MaxSpansPerTrace || id.IsEmpty(), "%d spans in a trace", spans)
			}
			r.fresh()
		})
	}
}
