package ebpfspanreceiver

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// observe registers the receiver's own metrics.
func (r *spanReceiver) observe() error {
	t := r.telemetry
	return errors.Join(
		t.RegisterEbpfSpanConnectionsCallback(figure(r.stats.connections.Load)),
		t.RegisterEbpfSpanEventsCallback(figure(r.stats.events.Load)),
		t.RegisterEbpfSpanProcessesCallback(figure(r.stats.processes.Load)),
		t.RegisterEbpfSpanWaitingCallsCallback(figure(r.stats.undecided.Load)),
		t.RegisterEbpfSpanLossesCallback(r.observeLosses),
		r.observeBudget(),
	)
}

func figure(load func() int64) metric.Int64Callback {
	return func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(load())
		return nil
	}
}

// observeLosses reports every reason, also those that did not occur: a zero that
// is there can be trusted.
func (r *spanReceiver) observeLosses(_ context.Context, o metric.Int64Observer) error {
	r.stats.losses.Each(func(reason loss.Reason, n int64) {
		o.Observe(n, metric.WithAttributes(attribute.String("reason", reason.String())))
	})
	return nil
}
