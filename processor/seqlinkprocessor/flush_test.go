package seqlinkprocessor

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

var errBusy = errors.New("busy")

// failing refuses with err until it is told to pass spans on.
type failing struct {
	rig *rig
	err error

	mu    sync.Mutex
	calls int
}

func (f *failing) consume(ctx context.Context, td ptrace.Traces) error {
	f.mu.Lock()
	f.calls++
	f.mu.Unlock()
	if f.err == nil {
		return f.rig.sink.ConsumeTraces(ctx, td)
	}
	td.ResourceSpans().RemoveIf(func(ptrace.ResourceSpans) bool { return true }) // it owns td
	return f.err
}

func newFailingRig(t *testing.T, err error, mutate func(*Config)) (*rig, *failing) {
	r := newRig(t, mutate)
	f := &failing{rig: r, err: err}
	r.next = consumerFunc(f.consume)
	return r, f
}

func TestRetryableErrorsDelayButLoseNothing(t *testing.T) {
	r, f := newFailingRig(t, errBusy, nil)
	r.l.emissions = 1
	r.send(server(1, 0x10, 0))
	r.send(server(2, 0x20, 0))
	r.pass(r.cfg.Window)
	require.Equal(t, 1, f.calls, "the second waits behind the first")
	r.pass(minRetryDelay / 2)
	require.Equal(t, 1, f.calls, "not before the delay is over")
	r.pass(minRetryDelay / 2)
	require.Equal(t, 2, f.calls)
	r.pass(minRetryDelay)
	require.Equal(t, 2, f.calls, "the delay doubles")
	require.EqualValues(t, 2, r.counter("flush_retries"))
	require.EqualValues(t, 2, r.l.held.Load())
	require.Zero(t, r.counter("spans_emitted"))

	f.err = nil
	r.pass(maxRetryDelay)
	require.Len(t, r.emitted(), 2)
	require.Equal(t, derived(0x10), r.emitted()[0].TraceID(), "in order of arrival")
	require.Equal(t, derived(0x20), r.emitted()[1].TraceID())
	require.EqualValues(t, 2, r.counter("spans_emitted"))
	require.Zero(t, r.l.held.Load())
}

// Batches that are handed over at the same time fail and leave independently.
func TestWhatLeftWhileAnotherFailedLeavesOnce(t *testing.T) {
	r := newRig(t, durable(t))
	var mu sync.Mutex
	failures := 0
	r.next = consumerFunc(func(ctx context.Context, td ptrace.Traces) error {
		id := td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).SpanID()
		mu.Lock()
		defer mu.Unlock()
		if id == sid(0x10) && failures < 3 {
			failures++
			return errBusy
		}
		return r.sink.ConsumeTraces(ctx, td)
	})
	for id := uint64(0x10); id < 0x18; id++ {
		r.send(server(id, id, 0))
	}
	r.pass(r.cfg.Window)
	require.Len(t, r.emitted(), maxEmissions-1, "those beside the one that failed")
	require.EqualValues(t, 8, r.l.held.Load(), "which wait behind it")
	for range 3 {
		r.pass(maxRetryDelay)
	}
	require.Len(t, r.byID(), 8)
	require.EqualValues(t, 8, r.counter("spans_emitted"))
	require.EqualValues(t, 3, r.counter("flush_retries"))
	require.Zero(t, r.l.held.Load())
}

func TestNamesHoldWhileTheConsumerIsBusy(t *testing.T) {
	r, f := newFailingRig(t, errBusy, func(c *Config) { c.DBPath = t.TempDir() })
	r.send(server(2, 0x20, 0x10))
	r.pass(r.cfg.Window) // the consumer may have seen the name
	r.send(client(1, 0x10, 0))
	r.kill()
	f.err = nil
	r.pass(r.cfg.Window)
	require.Equal(t, derived(0x20), r.span(0x20).TraceID())
	require.Equal(t, derived(0x20), r.span(0x10).TraceID())
	require.Zero(t, r.counter("dangling_parents_cleared"), "counted when the span left, and then the parent was there")
	require.Equal(t, sid(0x10), r.span(0x20).ParentSpanID())
}

func TestPermanentErrorsDropAndGoOn(t *testing.T) {
	r, f := newFailingRig(t, consumererror.NewPermanent(errors.New("no")), nil)
	r.send(server(1, 0x10, 0), server(1, 0x10, 0))
	r.send(server(2, 0x20, 0))
	r.pass(r.cfg.Window)
	require.Equal(t, 2, f.calls)
	require.EqualValues(t, 2, r.counter("spans_dropped", "reason", "consumer_refused"))
	require.EqualValues(t, 1, r.counter("spans_duplicate"))
	require.Zero(t, r.counter("spans_emitted"))
	require.Zero(t, r.l.held.Load())
	f.err = nil
	r.send(client(3, 0x30, 0))
	r.pass(r.cfg.Window)
	require.Len(t, r.emitted(), 1)
}

func TestBackpressure(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxMemoryMiB = minRoomMiB })
	id, err := uint64(0), error(nil)
	for err == nil {
		var spans []testSpan
		for range 1000 {
			id++
			spans = append(spans, server(id, id, 0))
		}
		err = r.l.accept(traces(spans...))
	}
	require.ErrorIs(t, err, errNoRoom)
	require.ErrorContains(t, err, "max_memory_mib is 32")
	require.False(t, consumererror.IsPermanent(err))
	require.EqualValues(t, 1000, r.counter("spans_refused"))
	require.EqualValues(t, id-1000, r.counter("spans_received"))
	require.Greater(t, id, uint64(100_000))

	r.pass(r.cfg.Window)
	require.Len(t, r.emitted(), int(id)-1000)
	r.send(server(id+1, id+1, 0))
	r.send(server(id+2, id+2, id))
	r.pass(r.cfg.Window)
	require.Len(t, r.emitted(), int(id)-1000+2)
}

// Names of traces that left are forgotten before anybody is refused.
func TestTheOldestNamesAreForgottenWhenMemoryIsUsedUp(t *testing.T) {
	r := newRig(t, func(c *Config) { c.MaxMemoryMiB, c.Retention = minRoomMiB, 1000*time.Hour })
	id := uint64(0)
	for r.counter("spans_forgotten") == 0 {
		var spans []testSpan
		for range 1000 {
			id++
			spans = append(spans, server(id, id, 0))
		}
		r.send(spans...)
		r.pass(r.cfg.Window)
		require.Less(t, id, uint64(10_000_000))
	}
	require.Greater(t, id, uint64(150_000))
	r.sink.Reset()
	r.send(server(id+1, id+1, id), server(id+2, id+2, 1))
	r.pass(r.cfg.Window)
	require.Equal(t, derived(id), r.span(id+1).TraceID(), "a young name is there")
	require.Equal(t, derived(id+2), r.span(id+2).TraceID(), "the oldest is not")
	require.Zero(t, r.counter("spans_refused"))
}

func TestNothingIsStoredForNoSpans(t *testing.T) {
	r := newRig(t, nil)
	require.NoError(t, r.l.accept(ptrace.NewTraces()))
	require.Empty(t, r.l.queue)
}

func TestUnreadableBatchesAreDroppedAndCounted(t *testing.T) {
	r := newRig(t, nil)
	r.send(server(1, 0x10, 0))
	r.send(server(2, 0x20, 0))
	r.send(server(3, 0x30, 0))
	r.l.store.waiting.Release(r.l.queue[0].key)
	require.NoError(t, r.l.store.waiting.Put(r.l.queue[1].key, []byte("garbage")))
	r.pass(r.cfg.Window)
	require.Len(t, r.emitted(), 1)
	require.EqualValues(t, 2, r.counter("corrupt_records"))
	require.EqualValues(t, 2, r.counter("spans_dropped", "reason", "unreadable"))
	require.Zero(t, r.l.held.Load())
}

// What Badger takes and gives is counted, and how long it took.
func TestTheStoreIsObserved(t *testing.T) {
	r := newRig(t, func(c *Config) { c.DBPath = t.TempDir() })
	require.Zero(t, r.counter("store_written"))
	r.send(client(1, 0x10, 0))
	written := r.counter("store_written")
	require.Positive(t, written)
	require.Zero(t, r.counter("store_read"))
	r.pass(r.cfg.Window)
	require.Len(t, r.emitted(), 1)
	require.Equal(t, written, r.counter("store_read"))
	require.Greater(t, r.counter("store_written"), written, "the names")
	m, err := r.tel.GetMetric("otelcol_processor_seqlink_store_write_duration")
	require.NoError(t, err)
	require.EqualValues(t, 2, m.Data.(metricdata.Histogram[float64]).DataPoints[0].Count)
	require.Equal(t, 2, r.l.store.databases())
}

func TestShutdownHandsOverWhatWaitsInMemory(t *testing.T) {
	r := newRig(t, nil)
	r.send(server(2, 0x20, 0x10))
	r.send(client(1, 0x10, 0))
	r.close()
	require.Equal(t, derived(0x10), r.span(0x20).TraceID())
	require.Len(t, r.emitted(), 2)
	require.ErrorIs(t, r.l.accept(traces(server(3, 3, 0))), errNotRunning)
}

func TestShutdownCountsWhatItCannotHandOver(t *testing.T) {
	r, _ := newFailingRig(t, errBusy, nil)
	r.send(server(1, 0x10, 0), server(1, 0x11, 0))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.True(t, r.l.stop())
	err := r.l.close(ctx)
	require.ErrorIs(t, err, errBusy)
	require.ErrorContains(t, err, "2 spans")
	require.EqualValues(t, 2, r.counter("spans_dropped", "reason", "shutdown"))
}

func TestShutdownTriesAgain(t *testing.T) {
	r, f := newFailingRig(t, errBusy, nil)
	r.next = consumerFunc(func(ctx context.Context, td ptrace.Traces) error {
		defer func() { f.err = nil }() // the second time it works
		return f.consume(ctx, td)
	})
	r.send(server(1, 0x10, 0))
	r.close()
	require.Len(t, r.emitted(), 1)
}

func TestRunFlushesAtTicksUntilStopped(t *testing.T) {
	r := newRig(t, nil)
	tick, stop := make(chan time.Time), make(chan struct{})
	var loop sync.WaitGroup
	loop.Go(func() { r.l.run(context.Background(), tick, stop) })
	r.send(server(1, 0x10, 0))
	tick <- time.Time{}
	r.clock.add(r.cfg.Window)
	tick <- time.Time{}
	close(stop)
	loop.Wait()
	require.Len(t, r.emitted(), 1)
}

func TestTickInterval(t *testing.T) {
	require.Equal(t, maxTick, tickInterval(time.Minute))
	require.Equal(t, 10*time.Millisecond, tickInterval(200*time.Millisecond))
	require.Equal(t, minTick, tickInterval(time.Millisecond))
}

func TestConcurrentSendersAndFlushes(t *testing.T) {
	const senders, requests = 4, 100
	r := newRig(t, nil)
	stop := make(chan struct{})
	var flusher, sending sync.WaitGroup
	flusher.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				r.pass(r.cfg.Window / 10)
			}
		}
	})
	for n := range uint64(senders) {
		sending.Go(func() {
			for i := range uint64(requests) {
				base := (n*requests + i + 1) << 8
				err := r.l.accept(traces(client(base, base+1, 0), server(base+2, base+3, base+1)))
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	sending.Wait()
	close(stop)
	flusher.Wait()
	r.pass(r.cfg.Window)
	spans := r.byID()
	require.Len(t, spans, 2*senders*requests)
	for n := range uint64(senders * requests) {
		base := (n + 1) << 8
		require.Equal(t, derived(base+1), spans[base+3].TraceID())
	}
	r.fresh()
}

func TestRetryDelay(t *testing.T) {
	r := retry{}
	require.True(t, r.due(time.Unix(0, 0)))
	var delays []time.Duration
	for range 40 {
		r.failures++
		delays = append(delays, r.delay())
	}
	require.Equal(t, []time.Duration{100, 200, 400, 800, 1600, 3200, 5000}, inMilliseconds(delays[:7]))
	require.Equal(t, maxRetryDelay, delays[39])
}

func inMilliseconds(ds []time.Duration) []time.Duration {
	for i := range ds {
		ds[i] /= time.Millisecond
	}
	return ds
}
