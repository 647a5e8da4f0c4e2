package ebpfspanreceiver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/budget"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/thin"
)

// governing joins what keeps capture within its budget.
type governing struct {
	kernel  *capture.Kernel
	thinner *thin.Thinner
	// governor is nil without a budget.
	governor *budget.Governor
}

// govern makes what the configuration's budget asks for.
func (r *spanReceiver) govern(kernel *capture.Kernel) (*governing, error) {
	logger := r.settings.Logger
	g := &governing{kernel: kernel, thinner: thin.New(kernel, func() int64 { return time.Now().UnixNano() }, logger)}
	r.stats.governing.Store(g)
	limits, err := r.config.Budget.limits()
	if err != nil || limits == (budget.Limits{}) {
		return g, err
	}
	meter, err := budget.NewProcessMeter(kernel, logger)
	if err != nil {
		return nil, fmt.Errorf("budget: %w", err)
	}
	g.thinner.Enable()
	g.governor = budget.NewGovernor(limits, meter, g.thinner.Aim, logger)
	return g, nil
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
		t.RegisterEbpfSpanCaptureRatioCallback(r.governed(1, (*budget.Governor).Ratio)),
		t.RegisterEbpfSpanCaptureCPUCallback(r.governed(0, (*budget.Governor).Cores)),
		t.RegisterEbpfSpanThinnedRequestsCallback(r.observeThinned),
		t.RegisterEbpfSpanCutConnectionsCallback(r.observeCut),
	)
}

// governed observes a figure of the governor, or otherwise where there is none.
func (r *spanReceiver) governed(otherwise float64, figure func(*budget.Governor) float64) metric.Float64Callback {
	return func(_ context.Context, o metric.Float64Observer) error {
		value := otherwise
		if g := r.stats.governing.Load(); g != nil && g.governor != nil {
			value = figure(g.governor)
		}
		o.Observe(value)
		return nil
	}
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
