package seqlinkprocessor

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/seqlink/seqlink/processor/seqlinkprocessor/internal/sampling"
)

func TestTracesAreSampledWhole(t *testing.T) {
	const traces = 400
	r := newRig(t, func(c *Config) { durable(t)(c); c.SamplingRate = 0.25 })
	for n := uint64(1); n <= traces; n++ {
		r.send(client(2*n, 4*n, 0), server(2*n+1, 4*n+1, 4*n))
	}
	r.pass(r.cfg.Window / 2)
	r.reopen()
	for n := uint64(1); n <= traces; n++ {
		r.send(client(2*n+1, 4*n+2, 4*n+1))
	}
	r.pass(r.cfg.Window)
	r.reopen()
	for n := uint64(1); n <= traces; n++ {
		r.send(server(1000+n, 4*n+3, 4*n+2)) // late
	}
	r.pass(r.cfg.Window)

	s, err := sampling.New(0.25)
	require.NoError(t, err)
	spans, kept := r.byID(), 0
	for n := uint64(1); n <= traces; n++ {
		keep := s.Keep(derived(4*n), 0, false)
		if keep {
			kept++
		}
		for id := 4 * n; id < 4*n+4; id++ {
			ps, ok := spans[id]
			require.Equal(t, keep, ok, "span %d of trace %d", id-4*n, n)
			if ok {
				require.Equal(t, derived(4*n), ps.TraceID())
				require.Equal(t, "ot=th:c", ps.TraceState().AsRaw())
			}
		}
	}
	require.InDelta(t, traces/4, kept, 40)
	require.EqualValues(t, 4*(traces-kept), r.counter("spans_dropped", "reason", "sampling_rate"))
}

func TestExplicitRandomnessDecidesForTheWholeTrace(t *testing.T) {
	for rv, keep := range map[string]bool{"ffffffffffffff": true, "00000000000001": false} {
		r := newRig(t, func(c *Config) { c.SamplingRate = 0.5 })
		td := traces(
			sdk(0xa11, 1, 0, ptrace.SpanKindClient, 0),
			client(2, 0x10, 0, testContext{0xa11, 1}),
			server(3, 0x20, 0x10),
		)
		td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).TraceState().FromRaw("ot=rv:" + rv)
		require.NoError(t, r.l.accept(td))
		r.pass(r.cfg.Window)
		r.send(server(4, 0x30, 0x10)) // late
		r.pass(r.cfg.Window)
		if !keep {
			require.Empty(t, r.emitted())
			continue
		}
		require.Len(t, r.byID(), 4)
		for _, ps := range r.emitted() {
			require.Equal(t, "ot=rv:"+rv+";th:8", ps.TraceState().AsRaw(), "a sampler behind decides by the same")
		}
		r.fresh()
	}
}

func TestRateOneChangesNothing(t *testing.T) {
	r := newRig(t, nil)
	td := traces(server(1, 0x10, 0))
	td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).TraceState().FromRaw("a=1")
	require.NoError(t, r.l.accept(td))
	r.send(server(2, 0x20, 0))
	r.pass(r.cfg.Window)
	require.Equal(t, "a=1", r.span(0x10).TraceState().AsRaw())
	require.Empty(t, r.span(0x20).TraceState().AsRaw())
}

// decided adds spans whose context carries a decision.
func decided(r *rig, s testSpan, sampled bool) {
	td := traces(s)
	l := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Links().At(0)
	l.Attributes().PutBool(contextSampledAttribute, sampled)
	if sampled {
		l.SetFlags(1)
	}
	l.TraceState().FromRaw("vendor=x")
	require.NoError(r.t, r.l.accept(td))
}

func TestTheApplicationsDecision(t *testing.T) {
	wire := testContext{0xa11, 1}
	tests := []struct {
		name  string
		honor bool
		send  func(*rig)
		kept  bool
	}{
		{"not asked for", false, func(r *rig) { decided(r, client(2, 0x10, 0, wire), false) }, true},
		{"dropped", true, func(r *rig) { decided(r, client(2, 0x10, 0, wire), false) }, false},
		{"kept", true, func(r *rig) { decided(r, client(2, 0x10, 0, wire), true) }, true},
		{"no decision", true, func(r *rig) { r.send(client(2, 0x10, 0, wire)) }, true},
		{"one of two says kept", true, func(r *rig) {
			decided(r, client(2, 0x10, 0, wire), false)
			decided(r, client(2, 0x11, 0, testContext{0xb11, 1}), true)
		}, true},
		{"an SDK sends spans all the same", true, func(r *rig) {
			decided(r, client(2, 0x10, 0, wire), false)
			r.send(sdk(0xa11, 1, 0, ptrace.SpanKindClient, 0))
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, func(c *Config) { durable(t)(c); c.HonorAppSampling = tt.honor })
			tt.send(r)
			r.send(server(3, 0x20, 0x10)) // downstream
			r.pass(r.cfg.Window)
			r.reopen()
			r.send(server(4, 0x30, 0x10), client(4, 0x31, 0x30)) // late, and second window
			r.pass(r.cfg.Window)
			spans := r.byID()
			for _, id := range []uint64{0x10, 0x20, 0x30, 0x31} {
				_, ok := spans[id]
				require.Equal(t, tt.kept, ok, "span %x", id)
			}
			if !tt.kept {
				require.EqualValues(t, 4, r.counter("spans_dropped", "reason", "app_not_sampled"))
			}
		})
	}
}

func TestTracestateAndSampledFlagAreKept(t *testing.T) {
	r := newRig(t, nil)
	decided(r, client(2, 0x10, 0, testContext{0xa11, 1}), true)
	r.pass(r.cfg.Window)
	ps := r.span(0x10)
	require.Equal(t, tid(0xa11), ps.TraceID())
	require.Equal(t, "vendor=x", ps.TraceState().AsRaw())
	require.EqualValues(t, 1, ps.Flags()&0xff)
	require.Equal(t, "vendor=x", ps.Links().At(0).TraceState().AsRaw())
}

// Linkers, and samplers behind them, that see the same traces keep the same ones.
func TestLinkersAgree(t *testing.T) {
	kept := map[float64]map[pcommon.TraceID]bool{}
	for _, rate := range []float64{0.5, 0.1} {
		r := newRig(t, func(c *Config) { c.SamplingRate = rate })
		for n := uint64(1); n <= 500; n++ {
			r.send(server(n, 10*n, 0), client(n, 10*n+1, 10*n))
		}
		r.pass(r.cfg.Window)
		kept[rate] = map[pcommon.TraceID]bool{}
		for _, ps := range r.emitted() {
			kept[rate][ps.TraceID()] = true
		}
	}
	require.NotEmpty(t, kept[0.1])
	for id := range kept[0.1] {
		require.True(t, kept[0.5][id], fmt.Sprint(id))
	}
}
