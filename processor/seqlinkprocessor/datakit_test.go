package seqlinkprocessor

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// These are faults of DataKit's linker that need more than one window, or more than
// one order, to show. peers_test.go has the others.

// A window that comes after a trace left does not see what left before it.
func TestDataKitSpansThatComeManyWindowsLateBecomeRoots(t *testing.T) {
	for how, restart := range map[string]func(*rig){"on": func(*rig) {}, "close": restarts["close"], "kill": restarts["kill"]} {
		for windows := 1; windows < retentionWindows; windows += 4 {
			t.Run(fmt.Sprintf("%s, %d windows", how, windows), func(t *testing.T) {
				r := newRig(t, durable(t))
				r.send(client(1, 0x10, 0))
				r.pass(r.cfg.Window)
				require.Len(t, r.emitted(), 1, "the trace has left")
				for range windows {
					r.pass(r.cfg.Window)
				}
				restart(r)
				r.send(server(2, 0x20, 0x10))
				r.pass(r.cfg.Window)
				require.Equal(t, derived(0x10), r.span(0x20).TraceID())
				require.Equal(t, sid(0x10), r.span(0x20).ParentSpanID())
				require.Zero(t, r.counter("spans_orphaned"))
			})
		}
	}
}

// Each hop of this chain comes windows after the one before it had left.
func TestDataKitChainsWithWindowsBetweenTheirHopsBreak(t *testing.T) {
	const hops, apart = 8, 4
	r := newRig(t, durable(t))
	for n := uint64(1); n <= hops; n++ {
		r.send(server(n, 2*n, 2*n-1), client(n, 2*n+1, 2*n))
		for range apart {
			r.pass(r.cfg.Window)
		}
		if n%3 == 0 {
			r.kill()
		}
	}
	require.Len(t, r.byID(), 2*hops)
	for id, ps := range r.byID() {
		require.Equal(t, derived(2), ps.TraceID(), "span %d", id)
		if id != 2 {
			require.Equal(t, sid(id-1), ps.ParentSpanID(), "span %d", id)
		}
	}
}

// A lookup inside of the process used keys of another type than the store. Were the
// parent not found here, the call would count as a root, and as the first one.
func TestDataKitParentsInTheSameProcessAreNotFound(t *testing.T) {
	request, call := server(1, 0x99, 0).at(20, 40), client(1, 0x11, 0x99).at(10, 30)
	for name, send := range map[string]func(*rig){
		"together":             func(r *rig) { r.send(request, call) },
		"request first":        func(r *rig) { r.send(request); r.send(call) },
		"call first":           func(r *rig) { r.send(call); r.send(request) },
		"call, kill, request":  func(r *rig) { r.send(call); r.kill(); r.send(request) },
		"request, close, call": func(r *rig) { r.send(request); r.reopen(); r.send(call) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, durable(t))
			send(r)
			r.pass(r.cfg.Window)
			require.Equal(t, derived(0x99), r.span(0x99).TraceID(), "the request is the root")
			require.Equal(t, derived(0x99), r.span(0x11).TraceID())
			require.Equal(t, sid(0x99), r.span(0x11).ParentSpanID())
		})
	}
}

// Whole windows vanished while a slow backend kept the linker from handing over.
func TestDataKitWindowsVanishBehindABackendThatBlocks(t *testing.T) {
	const windows = 50
	r := newRig(t, durable(t))
	reached, release := make(chan struct{}, windows), make(chan struct{})
	r.next = consumerFunc(func(ctx context.Context, td ptrace.Traces) error {
		reached <- struct{}{}
		<-release
		return r.sink.ConsumeTraces(ctx, td)
	})
	r.send(server(1, 1, 0))
	r.clock.add(r.cfg.Window)
	done := make(chan struct{})
	go func() { defer close(done); r.l.cycle(context.Background()) }()
	<-reached
	for n := uint64(2); n <= windows; n++ {
		r.send(server(n, n, 0))
		r.clock.add(r.cfg.Window)
	}
	require.Empty(t, r.emitted())
	require.EqualValues(t, windows, r.l.held.Load(), "all of them wait")
	close(release)
	<-done
	r.pass(r.cfg.Window)
	require.Len(t, r.byID(), windows)
	require.Zero(t, r.counter("spans_dropped"))
}
