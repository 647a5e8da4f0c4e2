package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"
)

// seqlinkProcessor fits the linker into the Collector.
type seqlinkProcessor struct {
	cfg       *Config
	logger    *zap.Logger
	telemetry *telemetry
	next      consumer.Traces

	linker *linker // nil before Start
	quit   chan struct{}
	cancel context.CancelFunc
	loop   sync.WaitGroup
}

var _ processor.Traces = (*seqlinkProcessor)(nil)

func newSeqlinkProcessor(set processor.Settings, cfg *Config, next consumer.Traces) (*seqlinkProcessor, error) {
	tel, err := newTelemetry(set.TelemetrySettings)
	if err != nil {
		return nil, err
	}
	return &seqlinkProcessor{cfg: cfg, logger: set.Logger, telemetry: tel, next: next}, nil
}

// Start opens the store, rebuilds the index from it and begins to flush.
func (p *seqlinkProcessor) Start(context.Context, component.Host) error {
	l, err := newLinker(p.cfg, p.logger, p.telemetry, p.next, time.Now)
	if err != nil {
		return err
	}
	p.linker = l
	err = p.telemetry.RegisterProcessorSeqlinkSpansHeldCallback(func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(l.held.Load())
		return nil
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel, p.quit = cancel, make(chan struct{})
	p.loop.Go(func() {
		ticker := time.NewTicker(tickInterval(p.cfg.Window))
		defer ticker.Stop()
		l.run(ctx, ticker.C, p.quit)
	})
	return nil
}

// Shutdown hands over the spans that wait in memory; with db_path set they stay
// stored for the next start.
func (p *seqlinkProcessor) Shutdown(ctx context.Context) error {
	defer p.telemetry.Shutdown()
	if p.linker == nil || !p.linker.stop() {
		return nil
	}
	p.endLoop(ctx)
	return p.linker.close(ctx)
}

// endLoop waits for the flush that is under way, but not longer than ctx.
func (p *seqlinkProcessor) endLoop(ctx context.Context) {
	if p.quit == nil {
		return
	}
	close(p.quit)
	defer context.AfterFunc(ctx, p.cancel)()
	p.loop.Wait()
	p.cancel()
}

// Capabilities says that spans are changed: trace ids, parents, attributes.
func (*seqlinkProcessor) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: true}
}

// ConsumeTraces stores td. A nil error is the promise that it will leave.
func (p *seqlinkProcessor) ConsumeTraces(_ context.Context, td ptrace.Traces) error {
	if p.linker == nil {
		return errNotRunning
	}
	return p.linker.accept(td)
}
