package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
)

// maxEmissions is how many batches are handed over at the same time. After a crash
// they would leave twice.
const maxEmissions = 4

// emission is a batch that is being handed over.
type emission struct {
	batch  *batch
	result result
	err    error
	// done is closed when result and err are final.
	done chan struct{}
}

func (e *emission) wait() error {
	<-e.done
	return e.err
}

// prepare names the spans of a batch, makes the names last and begins to hand the
// batch over.
func (l *linker) prepare(ctx context.Context, b *batch) *emission {
	l.pace.begin()
	e := &emission{batch: b, done: make(chan struct{})}
	if b.emitted {
		close(e.done)
		return e
	}
	td, err := l.read(b)
	if err != nil {
		l.dropUnreadable(b, err)
		close(e.done)
		return e
	}
	record, res := l.publish(b, td)
	e.result = res
	if e.err = l.putRecord(b, record); e.err != nil {
		close(e.done)
		return e
	}
	go func() {
		defer close(e.done)
		e.err = l.emit(ctx, td, &e.result)
		if e.err == nil {
			l.count(e.result)
		}
	}()
	return e
}

// read returns the spans of a batch.
func (l *linker) read(b *batch) (ptrace.Traces, error) {
	td, err := l.store.batch(b.key)
	if err == nil && td.SpanCount() != len(b.spans) {
		err = fmt.Errorf("stored batch has %d spans, want %d", td.SpanCount(), len(b.spans))
	}
	return td, err
}

// settle takes a batch that was handed over, the first of the queue, out of it.
func (l *linker) settle(ctx context.Context, e *emission) {
	l.retry.succeeded(l.logger)
	l.leave(e.batch)
	lag := l.lagOf(e.batch)
	l.pace.left(lag)
	l.telemetry.ProcessorSeqlinkFlushLag.Record(ctx, lag.Seconds())
}

// publish names the spans of td, which are those of b, and fixes the names. It
// returns the record that makes them last.
func (l *linker) publish(b *batch, td ptrace.Traces) ([]byte, result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b.published.IsZero() {
		b.published = l.now()
	}
	l.index.touchParents(b.spans)
	r := renamer{index: l.index, batch: b, dangler: l.cfg.DanglingParents, sampler: l.sampler, keepsAll: l.cfg.SamplingRate == 1}
	r.rename(td)
	if !l.store.durable() {
		return nil, r.result
	}
	record := l.index.recordOf(b.spans, r.linked, b.published)
	return record.encode(), r.result
}

// putRecord stores the record of a batch that is about to leave.
func (l *linker) putRecord(b *batch, record []byte) error {
	if !l.store.durable() {
		return nil
	}
	if b.recorded {
		return l.store.published.Replace(b.key, record)
	}
	err := l.store.published.Put(b.key, record)
	b.recorded = err == nil
	return err
}

// emit gives td to the next consumer. What it refuses for good is dropped and
// counted; any other error is returned.
func (l *linker) emit(ctx context.Context, td ptrace.Traces, res *result) error {
	if res.emitted == 0 {
		return nil
	}
	err := l.next.ConsumeTraces(ctx, td)
	if err == nil || !consumererror.IsPermanent(err) {
		return err
	}
	l.telemetry.dropped(dropConsumerRefused, res.emitted)
	l.logger.Error("the next consumer refused spans for good: dropped", zap.Int("spans", res.emitted), zap.Error(err))
	res.emitted = 0
	return nil
}

func (l *linker) count(res result) {
	add(l.telemetry.ProcessorSeqlinkSpansEmitted, res.emitted)
	add(l.telemetry.ProcessorSeqlinkSpansDuplicate, res.duplicates)
	add(l.telemetry.ProcessorSeqlinkSpansReparented, res.reparented)
	add(l.telemetry.ProcessorSeqlinkSpansOrphaned, res.orphans)
	add(l.telemetry.ProcessorSeqlinkDanglingParentsCleared, res.cleared)
	l.telemetry.dropped(dropSampled, res.dropped[dropBySampling])
	l.telemetry.dropped(dropAppNotSampled, res.dropped[dropByApp])
}

// dropUnreadable gives up a batch that the store cannot give back.
func (l *linker) dropUnreadable(b *batch, err error) {
	add(l.telemetry.ProcessorSeqlinkCorruptRecords, 1)
	l.telemetry.dropped(dropUnreadable, len(b.spans))
	l.logger.Error("waiting spans could not be read back: dropped", zap.Int("spans", len(b.spans)), zap.Error(err))
	b.published = l.now()
}
