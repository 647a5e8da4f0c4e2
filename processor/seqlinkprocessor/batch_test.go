package seqlinkprocessor

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// large returns traces of n spans of about 1 KiB in two scopes of two resources.
func large(n int) ptrace.Traces {
	td := ptrace.NewTraces()
	for r := range 2 {
		rs := td.ResourceSpans().AppendEmpty()
		rs.Resource().Attributes().PutInt("resource", int64(r))
		rs.SetSchemaUrl("resource-schema")
		for sc := range 2 {
			ss := rs.ScopeSpans().AppendEmpty()
			ss.Scope().SetName("scope")
			ss.Scope().Attributes().PutInt("scope", int64(sc))
			ss.SetSchemaUrl("scope-schema")
			for i := range n / 4 {
				id := uint64(1 + (2*r+sc)*n/4 + i)
				ps := ss.Spans().AppendEmpty()
				server(id, id, 0).fill(ps)
				ps.Attributes().PutStr("pad", strings.Repeat("x", 1000))
			}
		}
	}
	return td
}

// flat lists each span with what it is wrapped in.
func flat(t *testing.T, parts ...ptrace.Traces) []string {
	var spans []string
	for _, td := range parts {
		for _, rs := range td.ResourceSpans().All() {
			for _, ss := range rs.ScopeSpans().All() {
				for _, ps := range ss.Spans().All() {
					one := ptrace.NewTraces()
					to := one.ResourceSpans().AppendEmpty()
					rs.Resource().CopyTo(to.Resource())
					to.SetSchemaUrl(rs.SchemaUrl())
					scope := to.ScopeSpans().AppendEmpty()
					ss.Scope().CopyTo(scope.Scope())
					scope.SetSchemaUrl(ss.SchemaUrl())
					ps.CopyTo(scope.Spans().AppendEmpty())
					data, err := (&ptrace.JSONMarshaler{}).MarshalTraces(one)
					require.NoError(t, err)
					spans = append(spans, string(data))
				}
			}
		}
	}
	return spans
}

func TestSplit(t *testing.T) {
	const maxBytes = 10 << 10
	td := large(100)
	parts := split(td, maxBytes)
	require.Greater(t, len(parts), 10)
	require.Equal(t, flat(t, td), flat(t, parts...), "every span once, in order, in its resource and scope")
	for _, p := range parts {
		require.Less(t, (&ptrace.ProtoMarshaler{}).TracesSize(p), maxBytes+maxBytes/10)
	}
	require.Len(t, split(td, 1<<20), 1)
}

func TestLargeRequestsAreStoredInParts(t *testing.T) {
	for name, mutate := range map[string]func(*Config){"memory": nil, "disk": durable(t)} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, mutate)
			require.NoError(t, r.l.accept(large(4000)))
			require.Greater(t, len(r.l.queue), 4)
			r.pass(r.cfg.Window)
			require.Len(t, r.byID(), 4000)
		})
	}
}

func TestOutsizedSpans(t *testing.T) {
	td := traces(server(1, 1, 0), server(2, 2, 0), server(3, 3, 0))
	second := td.ResourceSpans().At(1).ScopeSpans().At(0).Spans().At(0)
	t.Run("fit", func(t *testing.T) {
		second.Attributes().PutStr("huge", strings.Repeat("x", maxBatchBytes-1000))
		r := newRig(t, durable(t))
		require.NoError(t, r.l.accept(td))
		r.kill()
		r.pass(r.cfg.Window)
		require.Len(t, r.byID(), 3)
	})
	t.Run("are dropped and the rest goes on", func(t *testing.T) {
		second.Attributes().PutStr("huge", strings.Repeat("x", maxBatchBytes))
		r := newRig(t, nil)
		require.NoError(t, r.l.accept(td))
		r.pass(r.cfg.Window)
		require.Len(t, r.byID(), 2)
		require.EqualValues(t, 1, r.counter("spans_dropped", "reason", "too_large"))
		require.EqualValues(t, 3, r.counter("spans_received"))
	})
}
