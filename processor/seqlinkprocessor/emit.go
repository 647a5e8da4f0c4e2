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

// maxReadAhead is how many batches are read while others are named or handed over.
const maxReadAhead = 2

// emission is a batch on its way out: it is read, named and handed over.
type emission struct {
	batch *batch
	// spans and unreadable are what reading gave; they are final when read is closed.
	spans      ptrace.Traces
	unreadable error
	read       chan struct{}

	result result
	err    error
	// done is closed when result and err are final.
	done chan struct{}
}

func (e *emission) wait() error {
	<-e.done
	return e.err
}

// readAhead begins to read a batch, while those before it are named.
func (l *linker) readAhead(b *batch) *emission {
	e := &emission{batch: b, read: make(chan struct{}), done: make(chan struct{})}
	if b.emitted {
		close(e.read)
		return e
	}
	go func() {
		defer close(e.read)
		e.spans, e.unreadable = l.read(b)
	}()
	return e
}

// prepare names the spans of a batch that is being read, makes the names last and
// begins to hand the batch over.
func (l *linker) prepare(ctx context.Context, e *emission) {
	l.pace.begin()
	<-e.read
	if e.batch.emitted {
		close(e.done)
		return
	}
	if e.unreadable != nil {
		l.dropUnreadable(e.batch, e.unreadable)
		close(e.done)
		return
	}
	record, res := l.publish(e.batch, e.spans)
	e.result = res
	if e.err = l.putRecord(e.batch, record); e.err != nil {
		close(e.done)
		return
	}
	go func() {
		defer close(e.done)
		e.err = l.emit(ctx, e.spans, &e.result)
		if e.err == nil {
			l.count(e.result)
		}
	}()
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
