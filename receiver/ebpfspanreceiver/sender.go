package ebpfspanreceiver

import (
	"context"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.uber.org/zap"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/metadata"
)

const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// sender hands batches to the next consumer, one after the other.
type sender struct {
	next   consumer.Traces
	report *receiverhelper.ObsReport
	losses *loss.Counts
	logger *zap.Logger
}

func newSender(settings receiver.Settings, next consumer.Traces, losses *loss.Counts) (*sender, error) {
	report, err := receiverhelper.NewObsReport(receiverhelper.ObsReportSettings{
		ReceiverID:             settings.ID,
		LongLivedCtx:           true,
		ReceiverCreateSettings: settings,
	})
	if err != nil {
		return nil, err
	}
	return &sender{next: next, report: report, losses: losses, logger: settings.Logger}, nil
}

// run sends until batches is closed. After ctx ended each batch that is left gets
// one more try.
func (s *sender) run(ctx context.Context, batches <-chan ptrace.Traces) {
	for batch := range batches {
		s.send(ctx, batch)
	}
}

// send retries a batch for as long as the next consumer may take it later. What it
// refuses for good is counted.
func (s *sender) send(ctx context.Context, batch ptrace.Traces) {
	spans := batch.SpanCount()
	// A batch is handed over whole even while the receiver shuts down.
	op := s.report.StartTracesOp(context.WithoutCancel(ctx))
	pause := firstRetry
	for {
		err := s.next.ConsumeTraces(op, batch)
		if err == nil {
			s.report.EndTracesOp(op, metadata.Type.String(), spans, nil)
			return
		}
		if consumererror.IsPermanent(err) || !wait(ctx, pause) {
			s.report.EndTracesOp(op, metadata.Type.String(), spans, err)
			s.losses.Add(loss.ConsumerRefused, int64(spans))
			s.logger.Error("The next consumer refused spans.", zap.Int("spans", spans), zap.Error(err))
			return
		}
		pause = min(2*pause, lastRetry)
	}
}

// wait reports whether the pause went by before ctx ended.
func wait(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
