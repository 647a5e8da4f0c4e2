package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"context"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
)

const (
	minTick = 5 * time.Millisecond
	maxTick = 100 * time.Millisecond
)

// tickInterval is how often the linker looks for batches whose window is over.
func tickInterval(window time.Duration) time.Duration {
	return min(max(window/20, minTick), maxTick)
}

// run flushes at every tick until stop is closed.
func (l *linker) run(ctx context.Context, tick <-chan time.Time, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-tick:
			l.cycle(ctx)
		}
	}
}

// cycle lets every batch leave whose window is over, in order of arrival, and
// forgets what is older than the retention.
func (l *linker) cycle(ctx context.Context) {
	defer l.pace.end()
	for !l.stopped() && l.retry.due(l.now()) {
		b := l.due(l.cfg.Window)
		if b == nil || l.flush(ctx, b) != nil {
			break
		}
	}
	l.forget()
	l.observeSizes(ctx)
}

// due returns the first batch of the queue when it has waited for window.
func (l *linker) due(window time.Duration) *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 || l.now().Sub(l.queue[0].arrival) < window {
		return nil
	}
	return l.queue[0]
}

// flush hands the first batch of the queue to the next consumer. An error means
// that the batch stays where it is, to be tried again.
func (l *linker) flush(ctx context.Context, b *batch) error {
	l.pace.begin()
	td, err := l.store.batch(b.key)
	if err == nil && td.SpanCount() != len(b.spans) {
		err = fmt.Errorf("stored batch has %d spans, want %d", td.SpanCount(), len(b.spans))
	}
	if err != nil {
		l.dropUnreadable(b, err)
		return nil
	}
	record, res := l.publish(b, td)
	if err := l.putRecord(b, record); err != nil {
		return l.tryAgain(err)
	}
	if err := l.emit(ctx, td, &res); err != nil {
		return l.tryAgain(err)
	}
	l.retry.succeeded(l.logger)
	l.count(res)
	l.leave(b)
	lag := l.lagOf(b)
	l.pace.left(lag)
	l.telemetry.ProcessorSeqlinkFlushLag.Record(ctx, lag.Seconds())
	return nil
}

// lagOf is how long b stayed beyond its window.
func (l *linker) lagOf(b *batch) time.Duration {
	return max(0, l.now().Sub(b.arrival)-l.cfg.Window)
}

// publish names the spans of td, which are those of b, and fixes the names. It
// returns the record that makes them last.
func (l *linker) publish(b *batch, td ptrace.Traces) ([]byte, result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b.published.IsZero() {
		b.published = l.now()
	}
	r := renamer{index: l.index, batch: b, dangler: l.cfg.DanglingParents, sampler: l.sampler}
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

func (l *linker) tryAgain(err error) error {
	add(l.telemetry.ProcessorSeqlinkFlushRetries, 1)
	l.retry.failed(l.now(), l.logger, err)
	return err
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
	l.leave(b)
}

// leave takes b, the first of the queue, out of it. Its ids are remembered.
func (l *linker) leave(b *batch) {
	l.held.Add(-int64(len(b.spans)))
	l.mu.Lock()
	l.queue[0] = nil
	l.queue = l.queue[1:]
	b.segments = l.index.leave(b.spans)
	b.spans = nil
	l.left = append(l.left, b)
	l.mu.Unlock()
	if err := l.cursor.set(b.key); err != nil {
		l.logger.Error("what left could not be written down; after a crash it would leave again", zap.Error(err))
	}
	l.store.waiting.Release(b.key)
}

// forget removes from index and store what left longer ago than the retention. It
// waits for a window more, so that a span that came within the retention still
// finds its trace when it leaves.
func (l *linker) forget() {
	until := l.now().Add(-l.cfg.retention() - l.cfg.Window)
	for l.forgetBefore(until) {
		continue
	}
}

// forgetBefore forgets some of what left before a time, so that others need not wait
// for long, and tells whether there is more.
func (l *linker) forgetBefore(until time.Time) bool {
	const atOnce = 16
	l.mu.Lock()
	defer l.mu.Unlock()
	for range atOnce {
		if len(l.left) == 0 || l.left[0].published.After(until) {
			return false
		}
		l.forgetFirst()
	}
	return true
}

// forgetFirst forgets the batch that left first. The caller holds the lock.
func (l *linker) forgetFirst() {
	b := l.left[0]
	l.left[0] = nil
	l.left = l.left[1:]
	l.index.forget(b.segments)
	if b.recorded {
		l.store.published.Release(b.key)
	}
}
