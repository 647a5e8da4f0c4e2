package seqlinkprocessor

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// want says how a span is to leave.
type want struct {
	trace  pcommon.TraceID
	parent uint64
}

func TestLinking(t *testing.T) {
	const appTrace, otherTrace = 0xa11, 0xb11
	tests := []struct {
		name    string
		mutate  func(*Config)
		batches [][]testSpan
		want    map[uint64]want
	}{
		{
			name:    "a segment alone is named after its root",
			batches: [][]testSpan{{server(1, 0x10, 0), client(1, 0x11, 0x10)}},
			want:    map[uint64]want{0x10: {derived(0x10), 0}, 0x11: {derived(0x10), 0x10}},
		},
		{
			name:    "parent before child",
			batches: [][]testSpan{{client(1, 0x10, 0)}, {server(2, 0x20, 0x10)}},
			want:    map[uint64]want{0x10: {derived(0x10), 0}, 0x20: {derived(0x10), 0x10}},
		},
		{
			name:    "child before parent",
			batches: [][]testSpan{{server(2, 0x20, 0x10)}, {client(1, 0x10, 0)}},
			want:    map[uint64]want{0x10: {derived(0x10), 0}, 0x20: {derived(0x10), 0x10}},
		},
		{
			name: "two chains stay two traces",
			batches: [][]testSpan{
				{server(2, 0x20, 0x10), server(4, 0x40, 0x30)},
				{client(3, 0x30, 0), client(1, 0x10, 0)},
			},
			want: map[uint64]want{
				0x10: {derived(0x10), 0}, 0x20: {derived(0x10), 0x10},
				0x30: {derived(0x30), 0}, 0x40: {derived(0x30), 0x30},
			},
		},
		{
			name:    "a remote parent needs no flags",
			batches: [][]testSpan{{{trace: 2, id: 0x20, parent: 0x10}}, {client(1, 0x10, 0)}},
			want:    map[uint64]want{0x10: {derived(0x10), 0}, 0x20: {derived(0x10), 0x10}},
		},
		{
			name: "fan-out and fan-in of several segments",
			batches: [][]testSpan{
				{server(3, 0x30, 0x12), server(2, 0x20, 0x11)},
				{client(1, 0x12, 0x10), client(1, 0x11, 0x10), server(1, 0x10, 0)},
			},
			want: map[uint64]want{
				0x10: {derived(0x10), 0}, 0x11: {derived(0x10), 0x10}, 0x12: {derived(0x10), 0x10},
				0x20: {derived(0x10), 0x11}, 0x30: {derived(0x10), 0x12},
			},
		},
		{
			name: "of several roots the first to start names the trace",
			batches: [][]testSpan{{
				client(1, 0x10, 0).at(5, 6), client(1, 0x11, 0).at(3, 9), client(1, 0x12, 0).at(3, 4),
			}},
			want: map[uint64]want{0x10: {derived(0x11), 0}, 0x11: {derived(0x11), 0}, 0x12: {derived(0x11), 0}},
		},
		{
			name:    "a parent that never comes is cleared",
			batches: [][]testSpan{{server(1, 0x10, 0x99), client(1, 0x11, 0x10)}},
			want:    map[uint64]want{0x10: {derived(0x10), 0}, 0x11: {derived(0x10), 0x10}},
		},
		{
			name:    "a parent that never comes is kept when asked",
			mutate:  func(c *Config) { c.DanglingParents = DanglingParentsKeep },
			batches: [][]testSpan{{server(1, 0x10, 0x99)}},
			want:    map[uint64]want{0x10: {derived(0x10), 0x99}},
		},
		{
			name:    "a local parent that has not come is kept",
			batches: [][]testSpan{{client(1, 0x11, 0x10)}, {sdk(2, 0x21, 0x20, ptrace.SpanKindInternal, 0)}},
			want:    map[uint64]want{0x11: {derived(0x11), 0x10}, 0x21: {tid(2), 0x20}},
		},
		{
			name:    "a span that is its own parent is a root",
			batches: [][]testSpan{{server(1, 0x10, 0x10)}, {client(2, 0x11, 0x10)}},
			want:    map[uint64]want{0x10: {derived(0x10), 0}, 0x11: {derived(0x10), 0x10}},
		},
		{
			name:    "a ring across traces takes the name of its first span",
			batches: [][]testSpan{{server(1, 0xa, 0xb).at(2, 3)}, {server(2, 0xb, 0xa).at(1, 3)}},
			want:    map[uint64]want{0xa: {derived(0xb), 0xb}, 0xb: {derived(0xb), 0xa}},
		},
		{
			name:    "a ring inside a trace",
			batches: [][]testSpan{{client(1, 0xa, 0xb), client(1, 0xb, 0xa)}},
			want:    map[uint64]want{0xa: {derived(0xa), 0xb}, 0xb: {derived(0xa), 0xa}},
		},
		{
			name:    "a ring with an application's context",
			batches: [][]testSpan{{server(1, 0xa, 0xb, testContext{appTrace, 1})}, {server(2, 0xb, 0xa, testContext{otherTrace, 1})}},
			want:    map[uint64]want{0xa: {tid(appTrace), 0xb}, 0xb: {tid(appTrace), 0xa}},
		},
		{
			name:    "spans without a trace id pass as they are",
			batches: [][]testSpan{{server(0, 0x10, 0x99), server(0, 0x11, 0x10)}},
			want:    map[uint64]want{0x10: {tid(0), 0x99}, 0x11: {tid(0), 0x10}},
		},
		{
			name:    "a span without an id takes its trace's name",
			batches: [][]testSpan{{server(1, 0, 0x99), server(1, 0x11, 0)}},
			want:    map[uint64]want{0: {derived(0x11), 0}, 0x11: {derived(0x11), 0}},
		},
		{
			name:    "a trace of spans without ids keeps its trace id",
			batches: [][]testSpan{{server(1, 0, 0)}},
			want:    map[uint64]want{0: {tid(1), 0}},
		},
		{
			name: "an application's trace id names the trace upstream and downstream",
			batches: [][]testSpan{
				{server(3, 0x30, 0x20, testContext{appTrace, 0x5})},
				{server(1, 0x10, 0), client(1, 0x11, 0x10)},
				{client(2, 0x20, 0x21, testContext{appTrace, 0x5}), server(2, 0x21, 0x11)},
				{client(3, 0x31, 0x30)},
			},
			want: map[uint64]want{
				0x10: {tid(appTrace), 0}, 0x11: {tid(appTrace), 0x10}, 0x21: {tid(appTrace), 0x11},
				0x20: {tid(appTrace), 0x21}, 0x30: {tid(appTrace), 0x20}, 0x31: {tid(appTrace), 0x30},
			},
		},
		{
			name:    "segments that name one application trace are one trace",
			batches: [][]testSpan{{server(1, 0x10, 0, testContext{appTrace, 1})}, {server(2, 0x20, 0, testContext{appTrace, 2})}},
			want:    map[uint64]want{0x10: {tid(appTrace), 0}, 0x20: {tid(appTrace), 0}},
		},
		{
			name: "of two application traces the one nearest the root wins",
			batches: [][]testSpan{
				{server(2, 0x20, 0x12, testContext{otherTrace, 1}).at(1, 2)},
				{server(1, 0x10, 0).at(1, 9), client(1, 0x11, 0x10, testContext{appTrace, 1}).at(5, 6), client(1, 0x12, 0x10).at(2, 3)},
			},
			want: map[uint64]want{
				0x10: {tid(appTrace), 0}, 0x11: {tid(appTrace), 0x10},
				0x12: {tid(appTrace), 0x10}, 0x20: {tid(appTrace), 0x12},
			},
		},
		{
			name: "of two equally near the first to start wins",
			batches: [][]testSpan{{
				server(1, 0x10, 0).at(1, 9),
				client(1, 0x11, 0x10, testContext{appTrace, 1}).at(5, 6),
				client(1, 0x12, 0x10, testContext{otherTrace, 1}).at(4, 7),
			}},
			want: map[uint64]want{
				0x10: {tid(otherTrace), 0}, 0x11: {tid(otherTrace), 0x10}, 0x12: {tid(otherTrace), 0x10},
			},
		},
		{
			name:   "application trace ids are left alone when not inherited",
			mutate: func(c *Config) { c.InheritAppTraceID = false },
			batches: [][]testSpan{
				{client(1, 0x10, 0, testContext{appTrace, 0x1}), server(2, 0x20, 0x10, testContext{appTrace, 0x1})},
				{sdk(appTrace, 0x1, 0, ptrace.SpanKindClient, 0), sdk(appTrace, 0x2, 0x1, ptrace.SpanKindServer, 0)},
			},
			want: map[uint64]want{
				0x10: {derived(0x10), 0}, 0x20: {derived(0x10), 0x10},
				0x1: {tid(appTrace), 0}, 0x2: {tid(appTrace), 0x1},
			},
		},
		{
			name:    "an SDK's trace that nobody names keeps its id",
			batches: [][]testSpan{{sdk(appTrace, 0x2, 0x1, ptrace.SpanKindInternal, 0)}, {sdk(appTrace, 0x1, 0, ptrace.SpanKindServer, 0)}},
			want:    map[uint64]want{0x1: {tid(appTrace), 0}, 0x2: {tid(appTrace), 0x1}},
		},
		{
			name:    "contexts with invalid ids do not count",
			batches: [][]testSpan{{server(1, 0x10, 0, testContext{0, 1}, testContext{appTrace, 0})}},
			want:    map[uint64]want{0x10: {derived(0x10), 0}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, order := range []string{"given", "reversed"} {
				t.Run(order, func(t *testing.T) {
					r := newRig(t, tt.mutate)
					batches := slices.Clone(tt.batches)
					if order == "reversed" {
						slices.Reverse(batches)
					}
					for _, b := range batches {
						r.send(b...)
						r.pass(time.Second)
					}
					require.Empty(t, r.emitted(), "nothing leaves before its window is over")
					r.pass(r.cfg.Window)
					assertWant(t, tt.want, r)
				})
			}
		})
	}
}

func assertWant(t *testing.T, wanted map[uint64]want, r *rig) {
	spans := r.byID()
	assert.Len(t, spans, len(wanted))
	for id, w := range wanted {
		ps, ok := spans[id]
		if !assert.True(t, ok, "span %x has not left", id) {
			continue
		}
		assert.Equal(t, w.trace, ps.TraceID(), "trace id of span %x", id)
		assert.Equal(t, sid(w.parent), ps.ParentSpanID(), "parent of span %x", id)
	}
}

func TestDeepChainOverManyBatches(t *testing.T) {
	const depth = 5000
	r := newRig(t, nil)
	for i := uint64(1); i <= depth; i++ {
		n := depth + 1 - i // the deepest first
		r.send(server(n, 2*n, 2*n-1), client(n, 2*n+1, 2*n))
		if i%500 == 0 {
			r.pass(time.Second)
		}
	}
	r.pass(r.cfg.Window)
	for id, ps := range r.byID() {
		require.Equal(t, derived(2), ps.TraceID(), "span %d", id)
	}
	require.Len(t, r.byID(), 2*depth)
	require.EqualValues(t, depth-1, r.counter("segments_joined", "method", "remote_parent"))
}

func TestDeepChainOfContextsNeedsNoStack(t *testing.T) {
	const depth = 20000
	r := newRig(t, nil)
	var spans []testSpan
	for n := uint64(1); n <= depth; n++ {
		spans = append(spans, server(1, n, n-1, testContext{1000 + n%2, 7}))
	}
	r.send(spans...)
	r.pass(r.cfg.Window)
	require.Equal(t, tid(1001), r.span(depth).TraceID())
}

func TestDuplicatesLeaveOnce(t *testing.T) {
	r := newRig(t, nil)
	r.send(server(1, 0x10, 0), server(1, 0x10, 0))
	r.send(server(1, 0x10, 0), server(2, 0x10, 0))
	r.pass(r.cfg.Window)
	r.send(server(1, 0x10, 0)) // again after it left
	r.pass(r.cfg.Window)
	require.Len(t, r.emitted(), 2, "one per incoming trace id")
	require.EqualValues(t, 3, r.counter("spans_duplicate"))
	require.EqualValues(t, 2, r.counter("spans_emitted"))
	require.EqualValues(t, 5, r.counter("spans_received"))
	require.Zero(t, r.l.held.Load())
}

func TestLateChildTakesThePublishedName(t *testing.T) {
	r := newRig(t, nil)
	r.send(client(1, 0x10, 0))
	r.pass(r.cfg.Window)
	r.pass(r.cfg.retention() - time.Second)
	r.send(server(2, 0x20, 0x10))
	r.pass(r.cfg.Window)
	require.Equal(t, derived(0x10), r.span(0x20).TraceID())
	require.Equal(t, sid(0x10), r.span(0x20).ParentSpanID(), "a parent that left is not dangling")
	require.EqualValues(t, 1, r.counter("spans_late"))
}

func TestNamesAreForgottenAfterRetention(t *testing.T) {
	r := newRig(t, nil)
	r.send(client(1, 0x10, 0, testContext{7, 7}))
	r.pass(r.cfg.Window)
	r.pass(r.cfg.retention() + r.cfg.Window)
	r.send(server(2, 0x20, 0x10))
	r.pass(r.cfg.Window)
	require.Equal(t, derived(0x20), r.span(0x20).TraceID())
	r.pass(r.cfg.retention() + r.cfg.Window)
	requireEmptyIndex(t, r.l)
}

func requireEmptyIndex(t *testing.T, l *linker) {
	x := l.index
	x.ids.Clean()
	x.pending.Clean()
	require.Zero(t, x.spans.Len(), "spans")
	require.Zero(t, x.segments.Len(), "segments")
	require.Zero(t, x.groups.Len(), "groups")
	require.Zero(t, x.contexts.Len(), "contexts")
	require.Zero(t, x.ids.Len(), "ids")
	require.Zero(t, x.known, "known ids")
	require.Zero(t, x.pending.Len(), "pending")
	require.Zero(t, x.traces.Len(), "traces")
	require.Empty(t, x.servers)
	require.Empty(t, x.ownNames)
	require.Empty(t, x.randomness)
	require.Empty(t, x.continued)
	require.Empty(t, x.continues)
	require.Empty(t, l.queue)
	require.Empty(t, l.left)
}

func TestLateParentTakesThePublishedName(t *testing.T) {
	r := newRig(t, nil)
	r.send(server(2, 0x20, 0x10))
	r.pass(r.cfg.Window)
	r.send(client(1, 0x10, 0))
	r.pass(r.cfg.Window)
	require.Equal(t, derived(0x20), r.span(0x20).TraceID())
	require.Equal(t, derived(0x20), r.span(0x10).TraceID())
	require.True(t, r.span(0x20).ParentSpanID().IsEmpty())
}

func TestPublishedTracesKeepTheirNamesWhenJoined(t *testing.T) {
	r := newRig(t, nil)
	r.send(client(1, 0x10, 0))
	r.pass(time.Second)
	r.send(server(3, 0x30, 0x20))
	r.pass(r.cfg.Window)
	require.Equal(t, derived(0x10), r.span(0x10).TraceID())
	require.Equal(t, derived(0x30), r.span(0x30).TraceID())

	r.send(server(2, 0x21, 0x10), client(2, 0x20, 0x21)) // joins both
	r.send(client(3, 0x31, 0x30))                        // of a segment that has a name
	r.pass(r.cfg.Window)
	require.Equal(t, derived(0x10), r.span(0x20).TraceID(), "the older name")
	require.Equal(t, derived(0x10), r.span(0x21).TraceID())
	require.Equal(t, derived(0x30), r.span(0x31).TraceID())
}

func TestDanglingParent(t *testing.T) {
	r := newRig(t, nil)
	r.send(server(1, 0x10, 0x99))
	r.pass(r.cfg.Window)
	ps := r.span(0x10)
	was, ok := ps.Attributes().Get("seqlink.dangling_parent_span_id")
	require.True(t, ok)
	require.Equal(t, "0000000000000099", was.Str())
	require.Zero(t, ps.Flags()&remote, "a root has no remote parent")
	require.EqualValues(t, 1, r.counter("dangling_parents_cleared"))
}

func TestSpansLeaveInOrderOfArrivalAfterTheirOwnWindow(t *testing.T) {
	r := newRig(t, nil)
	r.send(server(2, 0x20, 0x10))
	r.pass(r.cfg.Window / 2)
	r.send(client(1, 0x10, 0))
	r.pass(r.cfg.Window / 2)
	require.Len(t, r.emitted(), 1)
	require.Equal(t, derived(0x10), r.emitted()[0].TraceID(), "named after a root that waits still")
	r.pass(r.cfg.Window / 2)
	require.Len(t, r.emitted(), 2)
	require.Equal(t, derived(0x10), r.emitted()[1].TraceID())
}

func TestLinksFollowProvisionalTraceIDs(t *testing.T) {
	r := newRig(t, nil)
	r.send(
		client(1, 0x10, 0, testContext{0xa11, 1}).linked(testContext{2, 0x20}, testContext{9, 9}),
		server(2, 0x20, 0),
	)
	r.pass(r.cfg.Window)
	links := r.span(0x10).Links()
	require.Equal(t, tid(0xa11), links.At(0).TraceID(), "an application's context stays")
	require.Equal(t, derived(0x20), links.At(1).TraceID())
	require.Equal(t, tid(9), links.At(2).TraceID(), "an unknown trace stays")
	require.Equal(t, derived(0x20), r.span(0x20).TraceID())
}

func TestContextsOfTracesThatWereRenamedStay(t *testing.T) {
	r := newRig(t, nil)
	r.send(sdk(0xb11, 2, 0, ptrace.SpanKindInternal, 0))
	r.send(server(1, 0x10, 0, testContext{0xa11, 1}), client(1, 0x11, 0x10, testContext{0xb11, 3}))
	r.send(sdk(0xc11, 5, 0, ptrace.SpanKindInternal, 0).linked(testContext{0xb11, 2}))
	r.pass(r.cfg.Window)
	require.Equal(t, tid(0xb11), r.span(2).TraceID(), "both are roots, the SDK's span has the smaller id")
	require.Equal(t, tid(0xb11), r.span(0x10).TraceID())
	require.Equal(t, tid(0xa11), r.span(0x10).Links().At(0).TraceID())
	require.Equal(t, tid(0xb11), r.span(5).Links().At(0).TraceID())

	r.fresh()
	r.send(sdk(0xb11, 2, 0, ptrace.SpanKindInternal, 0).at(9, 9))
	r.send(server(1, 0x10, 0, testContext{0xa11, 1}), client(1, 0x11, 0x10, testContext{0xb11, 3}))
	r.send(sdk(0xc11, 5, 0, ptrace.SpanKindInternal, 0).linked(testContext{0xb11, 2}))
	r.pass(r.cfg.Window)
	require.Equal(t, tid(0xa11), r.span(2).TraceID(), "renamed")
	require.Equal(t, tid(0xb11), r.span(0x11).Links().At(0).TraceID(), "what the application said")
	require.Equal(t, tid(0xa11), r.span(5).Links().At(0).TraceID(), "a link follows")
	require.Equal(t, tid(0xc11), r.span(5).TraceID())
}

func TestSpanIDsSharedByTraces(t *testing.T) {
	r := newRig(t, nil)
	for trace := uint64(1); trace <= 3; trace++ {
		r.send(server(trace, 0x10, 0), client(trace, 0x11, 0x10))
	}
	r.pass(r.cfg.Window)
	require.Len(t, r.emitted(), 6)
	require.Zero(t, r.counter("segments_joined"), "a parent in the own trace comes first")
	r.pass(r.cfg.retention() + r.cfg.Window)
	requireEmptyIndex(t, r.l)
}

func TestKeysFollowArrivalWhenTheClockIsSetBack(t *testing.T) {
	r := newRig(t, nil)
	for range 3 {
		r.send(server(1, 0, 0))
		r.clock.add(-time.Hour)
	}
	require.True(t, slices.IsSortedFunc(r.l.queue, func(a, b *batch) int {
		return strings.Compare(string(a.key.Append(nil)), string(b.key.Append(nil)))
	}))
}

func TestDerivedTraceIDIsFixed(t *testing.T) {
	// Other linkers give the same names: these values must never change.
	for root, want := range map[uint64]string{
		0x1:                "5692161d100b05e5e4d971771b652c20",
		0x0123456789abcdef: "b2c058e4ebb5112c8e3980323f3dce39",
		0x9e3779b97f4a7c15: "e220a8397b1dcdaf0000000000000000",
	} {
		require.Equal(t, want, derived(root).String(), "root %x", root)
	}
}
