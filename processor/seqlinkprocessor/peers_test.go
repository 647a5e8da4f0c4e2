package seqlinkprocessor

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// These are the faults of other linkers, each as a test of this one.

func TestPeersTwoCraftedSpansMakeTheLinkerRecurseForEver(t *testing.T) {
	r := newRig(t, nil)
	r.send(
		server(1, 0xa, 0xb, testContext{2, 0xb}), server(2, 0xb, 0xa, testContext{1, 0xa}),
		sdk(1, 0xb, 0xa, ptrace.SpanKindServer, remote), sdk(2, 0xa, 0xb, ptrace.SpanKindClient, remote),
	)
	r.pass(r.cfg.Window)
	require.Len(t, r.emitted(), 4)
	r.fresh()
}

func TestPeersParentsWithoutATimeCheckMakeGrowingTraces(t *testing.T) {
	r := newRig(t, nil)
	const hour = uint64(time.Hour)
	r.send(client(1, 0x10, 0).at(1, 2), server(2, 0x20, 0x10).at(24*hour, 25*hour))
	r.pass(r.cfg.Window)
	require.NotEqual(t, r.span(0x10).TraceID(), r.span(0x20).TraceID(), "a day lies between")
}

func TestPeersZeroKeysMatchEachOther(t *testing.T) {
	r := newRig(t, nil)
	r.send(server(1, 0, 0), server(2, 0, 0), client(3, 0x30, 0), server(4, 0x40, 0), server(0, 0, 0))
	r.pass(r.cfg.Window)
	ids := map[pcommon.TraceID]bool{}
	for _, ps := range r.emitted() {
		ids[ps.TraceID()] = true
	}
	require.Len(t, ids, 5, "nothing was joined")
	require.Zero(t, r.counter("segments_joined"))
}

func TestPeersRestartLosesOpenWindows(t *testing.T) {
	for how, restart := range restarts {
		t.Run(how, func(t *testing.T) {
			r := newRig(t, durable(t))
			for n := uint64(1); n <= 5; n++ { // five windows are open
				r.send(server(n, 2*n, 2*n-1), client(n, 2*n+1, 2*n))
				r.pass(r.cfg.Window / 6)
			}
			restart(r)
			r.pass(r.cfg.Window)
			require.Len(t, r.byID(), 10)
			for _, ps := range r.emitted() {
				require.Equal(t, derived(2), ps.TraceID())
			}
		})
	}
}

// At six queued chunks whole windows vanished silently.
func TestPeersWindowsVanishWhenManyAreQueued(t *testing.T) {
	const batches = 200
	r, f := newFailingRig(t, errBusy, nil)
	for n := uint64(1); n <= batches; n++ {
		r.send(server(n, n, 0))
		r.pass(r.cfg.Window / 10)
	}
	require.EqualValues(t, batches, r.l.held.Load(), "they wait for the next consumer")
	f.err = nil
	r.pass(r.cfg.Window + maxRetryDelay)
	require.Len(t, r.byID(), batches)
}

func TestPeersLateSpansBecomeNewRoots(t *testing.T) {
	r := newRig(t, nil)
	r.send(client(1, 0x10, 0))
	r.pass(2 * r.cfg.Window)
	r.send(server(2, 0x20, 0x10), client(2, 0x21, 0x20))
	r.pass(2 * r.cfg.Window)
	r.send(server(3, 0x30, 0x21))
	r.pass(r.cfg.Window)
	for id, parent := range map[uint64]uint64{0x10: 0, 0x20: 0x10, 0x21: 0x20, 0x30: 0x21} {
		require.Equal(t, derived(0x10), r.span(id).TraceID())
		require.Equal(t, sid(parent), r.span(id).ParentSpanID())
	}
}

func TestPeersChainsOverThreeWindowsBreak(t *testing.T) {
	const windows = 25 // more than the retention: each hop is known when the next one comes
	r := newRig(t, durable(t))
	for n := uint64(1); n <= windows; n++ {
		r.send(server(n, 2*n, 2*n-1), client(n, 2*n+1, 2*n))
		r.pass(r.cfg.Window)
		if n%7 == 0 {
			r.reopen()
		}
	}
	for _, ps := range r.emitted() {
		require.Equal(t, derived(2), ps.TraceID())
	}
	require.Len(t, r.byID(), 2*windows)
}

func TestPeersSecondWindowSpansOfRejectedTracesLeak(t *testing.T) {
	r := newRig(t, func(c *Config) { durable(t)(c); c.SamplingRate = 0 })
	for n := uint64(1); n <= 4; n++ {
		r.send(server(n, 2*n, 2*n-1), client(n, 2*n+1, 2*n))
		r.pass(r.cfg.Window)
		r.kill()
	}
	require.Empty(t, r.emitted())
	require.EqualValues(t, 8, r.counter("spans_dropped", "reason", "sampling_rate"))
}

// Ids came from a generator without a seed.
func TestPeersTraceIDsRepeatAfterARestart(t *testing.T) {
	ids := map[pcommon.TraceID]bool{}
	for n := uint64(1); n <= 3; n++ {
		r := newRig(t, nil)
		r.send(server(1, n, 0))
		r.pass(r.cfg.Window)
		ids[r.span(n).TraceID()] = true
	}
	require.Len(t, ids, 3)
}

func TestPeersUnsetSamplingRateMeansNone(t *testing.T) {
	r := newRig(t, nil)
	for n := uint64(1); n <= 100; n++ {
		r.send(server(n, n, 0))
	}
	r.pass(r.cfg.Window)
	require.Len(t, r.byID(), 100)
}

// 128-bit ids were cut to 64.
func TestPeersApplicationIDsAreCut(t *testing.T) {
	app := pcommon.TraceID{0x64, 0x0c, 0xfd, 0x8d, 0, 0, 0, 0, 0xab, 0xcd, 0xef, 0xab, 0x12, 0x34, 0x56, 0x78}
	r := newRig(t, nil)
	td := traces(client(1, 0x10, 0, testContext{1, 1}), server(2, 0x20, 0x10))
	td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Links().At(0).SetTraceID(app)
	require.NoError(t, r.l.accept(td))
	r.pass(r.cfg.Window)
	require.Equal(t, app, r.span(0x10).TraceID())
	require.Equal(t, app, r.span(0x20).TraceID())
}

// A lookup used keys of another type than the store and never matched.
func TestPeersParentsInTheSameProcessAreNeverFound(t *testing.T) {
	r := newRig(t, durable(t))
	r.send(client(1, 0x11, 0x10))
	r.reopen()
	r.send(server(1, 0x10, 0x99))
	r.pass(r.cfg.Window)
	require.Equal(t, sid(0x10), r.span(0x11).ParentSpanID())
	require.Equal(t, derived(0x10), r.span(0x11).TraceID())
	require.EqualValues(t, 1, r.counter("dangling_parents_cleared"), "of the root alone")
}

// Spans left only when another message came.
func TestPeersTheLastSpanWaitsForTheNextMessage(t *testing.T) {
	var mu sync.Mutex
	left := 0
	cfg := createDefaultConfig().(*Config)
	cfg.Window = 50 * time.Millisecond
	p, _ := newTestProcessor(t, cfg, consumerFunc(func(_ context.Context, td ptrace.Traces) error {
		mu.Lock()
		defer mu.Unlock()
		left += td.SpanCount()
		return nil
	}))
	require.NoError(t, p.Start(context.Background(), componenttest.NewNopHost()))
	require.NoError(t, p.ConsumeTraces(context.Background(), traces(server(1, 1, 0))))
	require.Eventually(t, func() bool { mu.Lock(); defer mu.Unlock(); return left == 1 }, 10*time.Second, time.Millisecond)
	require.NoError(t, p.Shutdown(context.Background()))
}
