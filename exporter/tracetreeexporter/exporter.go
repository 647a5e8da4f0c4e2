package tracetreeexporter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/seqlink/seqlink/exporter/tracetreeexporter/internal/metadata"
)

// treeExporter holds spans until their trace is quiet, then prints it.
type treeExporter struct {
	cfg       *Config
	logger    *zap.Logger
	telemetry *metadata.TelemetryBuilder
	now       func() time.Time

	// mu guards what follows.
	mu      sync.Mutex
	out     *output
	held    *holder
	printed int
	totals  summary

	stop    context.CancelFunc
	stopped sync.WaitGroup
}

func newTreeExporter(cfg *Config, logger *zap.Logger, telemetry *metadata.TelemetryBuilder) *treeExporter {
	return &treeExporter{
		cfg:       cfg,
		logger:    logger,
		telemetry: telemetry,
		now:       time.Now,
		held:      newHolder(),
		stop:      func() {},
	}
}

func (e *treeExporter) start(context.Context, component.Host) error {
	out, err := openOutput(e.cfg)
	if err != nil {
		return err
	}
	e.out = out
	ctx, cancel := context.WithCancel(context.Background())
	e.stop = cancel
	e.stopped.Go(func() { e.tickUntil(ctx) })
	return nil
}

// tickUntil looks for quiet traces a few times per wait.
func (e *treeExporter) tickUntil(ctx context.Context) {
	ticker := time.NewTicker(min(max(e.cfg.Wait/4, 10*time.Millisecond), 500*time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			e.tick()
		case <-ctx.Done():
			return
		}
	}
}

func (e *treeExporter) tick() {
	e.mu.Lock()
	defer e.mu.Unlock()
	deadline := e.now().Add(-e.cfg.Wait)
	for trace := e.held.takeQuiet(deadline); trace != nil; trace = e.held.takeQuiet(deadline) {
		e.finish(trace)
	}
}

func (e *treeExporter) consume(ctx context.Context, batch ptrace.Traces) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.hold(batch)
	for e.held.spans > e.cfg.MaxHeldSpans {
		e.telemetry.ExporterTraceTreeTracesReleasedEarly.Add(ctx, 1)
		e.finish(e.held.take())
	}
	return nil
}

func (e *treeExporter) hold(batch ptrace.Traces) {
	now := e.now()
	for _, resource := range batch.ResourceSpans().All() {
		for _, scope := range resource.ScopeSpans().All() {
			for _, s := range scope.Spans().All() {
				e.held.add(s.TraceID(), newSpan(resource.Resource(), s), now)
			}
		}
	}
}

// finish counts a trace and prints it if the limit allows.
func (e *treeExporter) finish(trace *heldTrace) {
	ctx := context.Background()
	t := newTree(trace)
	e.totals.add(t)
	if e.cfg.MaxTraces > 0 && e.printed >= e.cfg.MaxTraces {
		e.telemetry.ExporterTraceTreeTracesSuppressed.Add(ctx, 1)
		return
	}
	if err := e.print(t); err != nil {
		e.telemetry.ExporterTraceTreeTracesFailed.Add(ctx, 1)
		e.logger.Error("A trace could not be printed", zap.String("output", e.cfg.Output), zap.Error(err))
		return
	}
	e.printed++
	e.telemetry.ExporterTraceTreeTracesPrinted.Add(ctx, 1)
}

func (e *treeExporter) print(t *tree) error {
	l := limits{spans: e.cfg.MaxSpansPerTrace, depth: e.cfg.MaxDepth}
	_, err := e.out.w.Write(printTree(t, l, e.out.width(), e.out.paint))
	return err
}

func (e *treeExporter) shutdown(context.Context) error {
	e.stop()
	e.stopped.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	defer e.telemetry.Shutdown()
	if e.out == nil {
		return nil
	}
	for trace := e.held.take(); trace != nil; trace = e.held.take() {
		e.finish(trace)
	}
	return errors.Join(e.summarise(), e.out.close())
}

func (e *treeExporter) summarise() error {
	var errs []error
	if e.cfg.Summary {
		if _, err := fmt.Fprintln(e.out.w, e.totals.line()); err != nil {
			errs = append(errs, fmt.Errorf("print the summary: %w", err))
		}
	}
	if e.cfg.SummaryPath != "" {
		errs = append(errs, e.totals.writeFile(e.cfg.SummaryPath))
	}
	return errors.Join(errs...)
}
