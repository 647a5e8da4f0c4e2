package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seqlink/seqlink/processor/seqlinkprocessor/internal/metadata"
)

// dropReason says why spans were lost after they were accepted, as in telemetry.
type dropReason string

const (
	// dropConsumerRefused: the next consumer refused them for good.
	dropConsumerRefused dropReason = "consumer_refused"
	// dropShutdown: they waited in memory and the next consumer did not take them
	// before the shutdown had to end.
	dropShutdown dropReason = "shutdown"
	// dropTooLarge: a single span is larger than a stored value can be.
	dropTooLarge dropReason = "too_large"
	// dropUnreadable: the stored batch could not be read back.
	dropUnreadable dropReason = "unreadable"
	// dropSampled: sampling_rate left their trace out.
	dropSampled dropReason = "sampling_rate"
	// dropAppNotSampled: the application decided to drop their trace.
	dropAppNotSampled dropReason = "app_not_sampled"
)

// telemetry counts what the linker does.
type telemetry struct {
	*metadata.TelemetryBuilder
}

func newTelemetry(set component.TelemetrySettings) (*telemetry, error) {
	b, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, err
	}
	return &telemetry{b}, nil
}

func (t *telemetry) joined(method joinMethod) {
	t.ProcessorSeqlinkSegmentsJoined.Add(context.Background(), 1, metric.WithAttributes(attribute.String("method", string(method))))
}

func (t *telemetry) limited(limit traceLimit) {
	t.ProcessorSeqlinkTracesLimited.Add(context.Background(), 1, metric.WithAttributes(attribute.String("limit", limit.String())))
}

func (t *telemetry) dropped(reason dropReason, spans int) {
	if spans == 0 {
		return
	}
	t.ProcessorSeqlinkSpansDropped.Add(context.Background(), int64(spans), metric.WithAttributes(attribute.String("reason", string(reason))))
}

func (t *telemetry) storeWritten(bytes int, took time.Duration) {
	add(t.ProcessorSeqlinkStoreWritten, bytes)
	t.ProcessorSeqlinkStoreWriteDuration.Record(context.Background(), took.Seconds())
}

// add counts n unless it is 0.
func add(c metric.Int64Counter, n int) {
	if n > 0 {
		c.Add(context.Background(), int64(n))
	}
}
