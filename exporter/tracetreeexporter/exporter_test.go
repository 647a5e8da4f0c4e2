package tracetreeexporter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.uber.org/zap"

	"github.com/seqlink/seqlink/exporter/tracetreeexporter/internal/metadata"
	"github.com/seqlink/seqlink/exporter/tracetreeexporter/internal/metadatatest"
)

// bench is an exporter whose clock and output the test holds. Its ticker is not
// started: the test ticks.
type bench struct {
	*treeExporter
	clock     time.Time
	printed   bytes.Buffer
	telemetry *componenttest.Telemetry
}

func newBench(t *testing.T, mutate func(*Config)) *bench {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	if mutate != nil {
		mutate(cfg)
	}
	require.NoError(t, cfg.Validate())
	b := &bench{clock: epoch, telemetry: componenttest.NewTelemetry()}
	t.Cleanup(func() { assert.NoError(t, b.telemetry.Shutdown(context.Background())) })
	builder, err := metadata.NewTelemetryBuilder(b.telemetry.NewTelemetrySettings())
	require.NoError(t, err)
	b.treeExporter = newTreeExporter(cfg, zap.NewNop(), builder)
	b.now = func() time.Time { return b.clock }
	b.out = &output{w: &b.printed, width: func() int { return defaultWidth }}
	return b
}

func (b *bench) take(t *testing.T, spans ...testSpan) {
	t.Helper()
	require.NoError(t, b.consume(context.Background(), makeTraces(spans...)))
}

func (b *bench) pass(d time.Duration) {
	b.clock = b.clock.Add(d)
	b.tick()
}

// traces is the number of traces printed so far.
func (b *bench) traces() int { return strings.Count(b.printed.String(), "trace 00") }

func TestTraceIsPrintedOnceQuiet(t *testing.T) {
	b := newBench(t, nil)
	spans := shop()
	b.take(t, spans[:3]...)
	b.pass(1900 * ms)
	b.take(t, spans[3:]...)
	b.pass(1900 * ms)
	assert.Empty(t, b.printed.String(), "its last span came 1.9 s ago")

	b.pass(100 * ms)
	golden, err := os.ReadFile("testdata/chain.txt")
	require.NoError(t, err)
	assert.Equal(t, string(golden), b.printed.String())
	assert.Zero(t, b.held.spans)

	b.pass(time.Hour)
	assert.Equal(t, 1, b.traces())
}

func TestTracesArePrintedInTheOrderInWhichTheyBecameQuiet(t *testing.T) {
	b := newBench(t, nil)
	b.take(t, server(1, 0, "a", "/", 200, 0, ms).in(1))
	b.pass(ms)
	b.take(t, server(1, 0, "a", "/", 200, 0, ms).in(2))
	b.pass(ms)
	b.take(t, server(2, 1, "a", "/", 200, 0, ms).in(1))
	b.pass(b.cfg.Wait)
	assert.Less(t, strings.Index(b.printed.String(), "00002  1 span"), strings.Index(b.printed.String(), "00001  2 spans"))
}

func TestShutdownPrintsWhatIsHeld(t *testing.T) {
	b := newBench(t, nil)
	b.take(t, shop()...)
	require.NoError(t, b.shutdown(context.Background()))
	assert.Equal(t, 1, b.traces())
}

func TestMaxTracesSuppressesAndCounts(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MaxTraces, c.Summary = 2, true })
	for trace := range byte(5) {
		b.take(t, server(1, 0, "a", "/", 200, 0, ms).in(trace+1))
	}
	b.pass(b.cfg.Wait)
	assert.Equal(t, 2, b.traces())
	metadatatest.AssertEqualExporterTraceTreeTracesPrinted(t, b.telemetry, points(2), metricdatatest.IgnoreTimestamp())
	metadatatest.AssertEqualExporterTraceTreeTracesSuppressed(t, b.telemetry, points(3), metricdatatest.IgnoreTimestamp())

	require.NoError(t, b.shutdown(context.Background()))
	assert.Contains(t, b.printed.String(), "5 traces, 5 spans, 100.0 % linked")
}

func points(n int64) []metricdata.DataPoint[int64] {
	return []metricdata.DataPoint[int64]{{Value: n}}
}

func TestMaxHeldSpansReleasesTheQuietestTrace(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MaxHeldSpans = 3 })
	b.take(t, server(1, 0, "a", "/", 200, 0, ms).in(1), server(2, 1, "a", "/", 200, 0, ms).in(1))
	b.take(t, server(1, 0, "b", "/", 200, 0, ms).in(2))
	assert.Zero(t, b.traces())

	b.take(t, server(1, 0, "c", "/", 200, 0, ms).in(3))
	assert.Equal(t, 1, b.traces())
	assert.Contains(t, b.printed.String(), "00001  2 spans")
	assert.Equal(t, 2, b.held.spans)
	metadatatest.AssertEqualExporterTraceTreeTracesReleasedEarly(t, b.telemetry, points(1), metricdatatest.IgnoreTimestamp())
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestFailedWriteIsCounted(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Summary = true })
	b.out.w = brokenWriter{}
	b.take(t, shop()...)
	b.pass(b.cfg.Wait)
	metadatatest.AssertEqualExporterTraceTreeTracesFailed(t, b.telemetry, points(1), metricdatatest.IgnoreTimestamp())
	assert.ErrorContains(t, b.shutdown(context.Background()), "disk full")
}

func TestSummaryFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "summary.json")
	b := newBench(t, func(c *Config) { c.SummaryPath = path })
	b.take(t, shop()...)
	b.take(t, server(1, 0, "a", "/", 200, 0, ms).in(1), server(2, 0, "a", "/", 200, 0, ms).in(1))
	b.take(t, server(3, 9, "a", "/", 200, 0, ms).in(2), server(4, 3, "a", "/", 200, 0, ms).in(2))
	b.take(t, server(5, 6, "a", "/", 200, 0, ms).in(3), server(6, 5, "a", "/", 200, 0, ms).in(3))
	require.NoError(t, b.shutdown(context.Background()))

	var got summary
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &got))
	assert.Equal(t, summary{
		Traces: 4, Spans: 13, Roots: 3,
		// All of the shop's, none of the two roots, one below each missing or cut link.
		LinkedSpans:            7 + 0 + 1 + 1,
		TracesWithSeveralRoots: 1, TracesWithMissingParents: 1, TracesWithMissingLinks: 3,
		ByMethod: map[string]int{"root": 3, "tcp": 5, "thread": 1, "goroutine": 2, "missing": 1, "cycle": 1},
	}, got)
	assert.NotContains(t, b.printed.String(), "linked", "summary is off")
}

func TestSummaryOfNothing(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Summary = true })
	require.NoError(t, b.shutdown(context.Background()))
	assert.Equal(t, "0 traces, 0 spans, 0 % linked, several roots in 0 traces, missing parents in 0 traces\n", b.printed.String())
}

func TestSummaryBoundsMethods(t *testing.T) {
	var s summary
	for i := range 2 * maxMethods {
		s.addMethods(map[string]int{strings.Repeat("m", i): 1})
	}
	assert.Len(t, s.ByMethod, maxMethods+1)
	assert.Equal(t, maxMethods, s.ByMethod[otherMethods])
}

func TestExporterAppendsToFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "trees.txt")
	require.NoError(t, os.WriteFile(path, []byte("before\n"), 0o600))
	cfg := createDefaultConfig().(*Config)
	cfg.Output, cfg.Wait = path, 20*ms
	e, err := NewFactory().CreateTraces(context.Background(), exportertest.NewNopSettings(metadata.Type), cfg)
	require.NoError(t, err)
	require.NoError(t, e.Start(context.Background(), componenttest.NewNopHost()))
	require.NoError(t, e.ConsumeTraces(context.Background(), makeTraces(shop()...)))

	golden, err := os.ReadFile("testdata/chain.txt")
	require.NoError(t, err)
	assert.EventuallyWithT(t, func(c *assert.CollectT) {
		text, err := os.ReadFile(path)
		assert.NoError(c, err)
		assert.Equal(c, "before\n"+string(golden), string(text))
	}, 10*time.Second, 10*ms, "the exporter's own clock prints it")
	require.NoError(t, e.Shutdown(context.Background()))
}

func TestStartFailsWhereFileCannotBeOpened(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.Output = filepath.Join(t.TempDir(), "gone", "trees.txt")
	e, err := NewFactory().CreateTraces(context.Background(), exportertest.NewNopSettings(metadata.Type), cfg)
	require.NoError(t, err)
	err = e.Start(context.Background(), componenttest.NewNopHost())
	assert.ErrorContains(t, err, "output: ")
	assert.ErrorContains(t, err, "gone")
	require.NoError(t, e.Shutdown(context.Background()))
}

func TestConcurrentBatches(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MaxHeldSpans = 50 })
	var group sync.WaitGroup
	for trace := range byte(20) {
		group.Go(func() {
			for id := range byte(20) {
				assert.NoError(t, b.consume(context.Background(), makeTraces(server(id+1, id, "a", "/", 200, 0, ms).in(trace))))
				b.tick()
			}
		})
	}
	group.Wait()
	require.NoError(t, b.shutdown(context.Background()))
	assert.Equal(t, 400, b.totals.Spans)
}

func TestBatchIsNotKept(t *testing.T) {
	b := newBench(t, nil)
	batch := makeTraces(shop()...)
	require.NoError(t, b.consume(context.Background(), batch))
	ptrace.NewTraces().CopyTo(batch)
	b.pass(b.cfg.Wait)
	assert.Contains(t, b.printed.String(), "GET /price/7 500")
}
