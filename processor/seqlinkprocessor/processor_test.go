package seqlinkprocessor

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/seqlink/seqlink/processor/seqlinkprocessor/internal/metadatatest"
)

func newTestProcessor(t *testing.T, cfg *Config, next consumer.Traces) (processor.Traces, *componenttest.Telemetry) {
	tel := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, tel.Shutdown(context.Background())) })
	set := metadatatest.NewSettings(tel)
	p, err := NewFactory().CreateTraces(context.Background(), set, cfg, next)
	require.NoError(t, err)
	return p, tel
}

func TestProcessorLinks(t *testing.T) {
	ctx := context.Background()
	arrived := make(chan ptrace.Traces, 10)
	cfg := createDefaultConfig().(*Config)
	cfg.Window = 200 * time.Millisecond
	p, tel := newTestProcessor(t, cfg, consumerFunc(func(_ context.Context, td ptrace.Traces) error {
		arrived <- td
		return nil
	}))
	require.True(t, p.Capabilities().MutatesData)
	require.ErrorIs(t, p.ConsumeTraces(ctx, traces(server(1, 1, 0))), errNotRunning)
	require.NoError(t, p.Start(ctx, componenttest.NewNopHost()))
	require.NoError(t, p.ConsumeTraces(ctx, traces(server(2, 0x20, 0x10))))
	require.NoError(t, p.ConsumeTraces(ctx, traces(client(1, 0x10, 0))))
	for range 2 { // they leave by themselves
		td := <-arrived
		require.Equal(t, derived(0x10), td.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).TraceID())
	}
	require.Eventually(t, func() bool {
		m, err := tel.GetMetric("otelcol_processor_seqlink_spans_held")
		return err == nil && m.Data.(metricdata.Gauge[int64]).DataPoints[0].Value == 0
	}, 10*time.Second, time.Millisecond)
	metadatatest.AssertEqualProcessorSeqlinkSpansReceived(t, tel, []metricdata.DataPoint[int64]{{Value: 2}}, metricdatatest.IgnoreTimestamp())
	_, err := tel.GetMetric("otelcol_processor_seqlink_flush_lag")
	require.NoError(t, err)
	_, err = tel.GetMetric("otelcol_processor_seqlink_rebuild_duration")
	require.NoError(t, err)
	require.NoError(t, p.Shutdown(ctx))
	require.NoError(t, p.Shutdown(ctx))
	require.ErrorIs(t, p.ConsumeTraces(ctx, traces(server(1, 1, 0))), errNotRunning)
}

func TestWhatWaitsInMemoryLeavesAtShutdown(t *testing.T) {
	ctx := context.Background()
	cfg, sink := createDefaultConfig().(*Config), &consumertest.TracesSink{}
	cfg.Window = time.Hour
	p, tel := newTestProcessor(t, cfg, sink)
	require.NoError(t, p.Start(ctx, componenttest.NewNopHost()))
	require.NoError(t, p.ConsumeTraces(ctx, traces(client(1, 0x11, 0))))
	metadatatest.AssertEqualProcessorSeqlinkSpansHeld(t, tel, []metricdata.DataPoint[int64]{{Value: 1}}, metricdatatest.IgnoreTimestamp())
	require.Zero(t, sink.SpanCount())
	require.NoError(t, p.Shutdown(ctx))
	require.Equal(t, 1, sink.SpanCount())
}

func TestProcessorStartReportsAnUnusablePath(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.DBPath = filepath.Join("/proc", "seqlink")
	p, _ := newTestProcessor(t, cfg, consumertest.NewNop())
	require.ErrorContains(t, p.Start(context.Background(), componenttest.NewNopHost()), "db_path")
	require.NoError(t, p.Shutdown(context.Background()))
}

func TestShutdownDoesNotWaitForABlockedConsumer(t *testing.T) {
	entered := make(chan struct{})
	cfg := createDefaultConfig().(*Config)
	cfg.Window, cfg.DBPath = time.Millisecond, t.TempDir()
	p, _ := newTestProcessor(t, cfg, consumerFunc(func(ctx context.Context, _ ptrace.Traces) error {
		close(entered)
		<-ctx.Done()
		return errors.New("cancelled")
	}))
	require.NoError(t, p.Start(context.Background(), componenttest.NewNopHost()))
	require.NoError(t, p.ConsumeTraces(context.Background(), traces(server(1, 1, 0))))
	<-entered
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.NoError(t, p.Shutdown(ctx))

	sink := &consumertest.TracesSink{}
	again, _ := newTestProcessor(t, cfg, sink)
	require.NoError(t, again.Start(context.Background(), componenttest.NewNopHost()))
	require.Eventually(t, func() bool { return sink.SpanCount() == 1 }, 10*time.Second, time.Millisecond)
	require.NoError(t, again.Shutdown(context.Background()))
}
