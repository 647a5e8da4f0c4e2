package ebpfspanreceiver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.uber.org/zap"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/budget"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/thin"
)

// governing joins what keeps capture within its budget.
type governing struct {
	kernel  *capture.Kernel
	thinner *thin.Thinner
	// most is the part of the requests that is kept where nothing costs too much.
	most float64
	// governor is nil without a budget of CPU time or memory, where events may be lost.
	governor *budget.Governor
}

// govern makes what the configuration's budget asks for.
func (r *spanReceiver) govern(kernel *capture.Kernel) (*governing, error) {
	logger := r.settings.Logger
	g := &governing{most: 1, kernel: kernel, thinner: thin.New(kernel, func() int64 { return time.Now().UnixNano() }, logger)}
	limits, limitsErr := r.config.Budget.limits()
	most, requestsErr := r.config.Budget.requests()
	if err := errors.Join(limitsErr, requestsErr); err != nil {
		return nil, err
	}
	if most < 1 {
		g.thinner.Enable()
		g.most = most
		g.thinner.Aim(most)
	}
	if err := g.measure(limits, r.config.Budget.Overload == overloadThin, logger); err != nil {
		return nil, err
	}
	r.stats.governing.Store(g)
	return g, nil
}

// measure lets a governor watch over the limits, and over the reader where thin is set.
func (g *governing) measure(limits budget.Limits, thin bool, logger *zap.Logger) error {
	options := budget.Options{Limits: limits, Logger: logger, Aim: func(ratio float64) { g.thinner.Aim(min(ratio, g.most)) }}
	if limits != (budget.Limits{}) {
		meter, err := budget.NewProcessMeter(g.kernel, logger)
		if err != nil {
			return fmt.Errorf("budget: %w", err)
		}
		options.Meter = meter
	}
	if thin {
		options.Reader = g.kernel
	}
	if options.Meter == nil && options.Reader == nil {
		return nil
	}
	g.thinner.Enable()
	g.governor = budget.NewGovernor(options)
	return nil
}

// start lets the governor work until stop is called or ctx ends.
func (g *governing) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	if g.governor != nil {
		running.Go(func() { g.governor.Run(ctx) })
	}
	return func() {
		cancel()
		running.Wait()
	}
}

// observeBudget registers the metrics of what is left out.
func (r *spanReceiver) observeBudget() error {
	t := r.telemetry
	return errors.Join(
		t.RegisterEbpfSpanCaptureRatioCallback(r.governed(1, (*governing).ratio)),
		t.RegisterEbpfSpanCaptureCPUCallback(r.governed(0, (*governing).cores)),
		t.RegisterEbpfSpanCapturePressureCallback(r.governed(0, (*governing).pressure)),
		t.RegisterEbpfSpanThinnedRequestsCallback(r.observeThinned),
		t.RegisterEbpfSpanCutConnectionsCallback(r.observeCut),
	)
}

// governed observes a figure of what governs, or otherwise where no capture runs.
func (r *spanReceiver) governed(otherwise float64, figure func(*governing) float64) metric.Float64Callback {
	return func(_ context.Context, o metric.Float64Observer) error {
		value := otherwise
		if g := r.stats.governing.Load(); g != nil {
			value = figure(g)
		}
		o.Observe(value)
		return nil
	}
}

// ratio is the part of the requests that is to be kept.
func (g *governing) ratio() float64 {
	if g.governor == nil {
		return g.most
	}
	return min(g.most, g.governor.Ratio())
}

// cores is the CPU time that the governor measured last, 0 where there is none.
func (g *governing) cores() float64 {
	if g.governor == nil {
		return 0
	}
	return g.governor.Cores()
}

// pressure is that of the reader, 0 where nobody watches it.
func (g *governing) pressure() float64 {
	if g.governor == nil {
		return 0
	}
	return g.governor.Pressure()
}

// observeThinned tells where requests were left out, at each of their ends that are
// traced here.
func (r *spanReceiver) observeThinned(_ context.Context, o metric.Int64Observer) error {
	var here, inKernel int64
	if g := r.stats.governing.Load(); g != nil {
		here, inKernel = g.thinner.Out(), g.kernel.ThinnedRequests()
	}
	o.Observe(here, metric.WithAttributes(attribute.String("where", "receiver")))
	o.Observe(inKernel, metric.WithAttributes(attribute.String("where", "kernel")))
	return nil
}

func (r *spanReceiver) observeCut(_ context.Context, o metric.Int64Observer) error {
	var cut int64
	if g := r.stats.governing.Load(); g != nil {
		cut = g.kernel.CutConnections()
	}
	o.Observe(cut)
	return nil
}
