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
	// maxFlushed bounds the batches that would leave twice after a crash.
	maxFlushed = 16
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
	for !l.stopped() && l.retry.due(l.now()) {
		b := l.due(l.cfg.Window)
		if b == nil || l.flush(ctx, b) != nil {
			break
		}
	}
	l.deleteFlushed()
	l.forget()
}

// due returns the first batch of the queue when it has waited for window.
func (l *linker) due(window time.Duration) *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.queue) > 0 && l.queue[0].state == batchVoid {
		l.dequeue()
	}
	if len(l.queue) == 0 {
		return nil
	}
	b := l.queue[0]
	if b.state == batchReserved || l.now().Sub(b.arrival) < window {
		return nil
	}
	return b
}

func (l *linker) dequeue() {
	l.queue[0] = nil
	l.queue = l.queue[1:]
}

// flush hands the first batch of the queue to the next consumer. An error means
// that the batch stays where it is, to be tried again.
func (l *linker) flush(ctx context.Context, b *batch) error {
	td, err := l.store.batch(b.key)
	if err == nil && td.SpanCount() != len(b.spans) {
		err = fmt.Errorf("stored batch has %d spans, want %d", td.SpanCount(), len(b.spans))
	}
	if err != nil {
		l.dropUnreadable(b, err)
		return nil
	}
	record, res := l.publish(b, td)
	if err := l.store.putPublication(b.key, record); err != nil {
		return l.tryAgain(err)
	}
	if err := l.emit(ctx, td, &res); err != nil {
		return l.tryAgain(err)
	}
	l.retry.succeeded(l.logger)
	l.count(res)
	l.leave(b)
	l.telemetry.ProcessorSeqlinkFlushLag.Record(ctx, l.lag(b).Seconds())
	return nil
}

// lag is how long b stayed beyond its window.
func (l *linker) lag(b *batch) time.Duration {
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
	r := newRenamer(l.index, b, l.cfg.DanglingParents)
	r.rename(td)
	if !l.store.durable {
		return nil, r.result
	}
	p := publication{published: b.published, names: r.names, spans: b.spans}
	return p.encode(), r.result
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
	add(l.telemetry.ProcessorSeqlinkDanglingParentsCleared, res.cleared)
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
	l.mu.Lock()
	l.dequeue()
	l.left = append(l.left, b)
	l.mu.Unlock()
	l.held.Add(-int64(len(b.spans)))
	l.flushed = append(l.flushed, b.key)
	if len(l.flushed) >= maxFlushed {
		l.deleteFlushed()
	}
}

// deleteFlushed removes from the store what the next consumer has accepted.
func (l *linker) deleteFlushed() {
	if err := l.store.deleteBatches(l.flushed); err != nil {
		l.logger.Error("spans that left could not be deleted; trying again", zap.Error(err))
		return
	}
	l.flushed = l.flushed[:0]
}

// forget removes from index and store what left longer ago than the retention. It
// waits for a window more, so that a span that came within the retention still
// finds its trace when it leaves.
func (l *linker) forget() {
	old := l.takeOld(l.now().Add(-l.cfg.retention() - l.cfg.Window))
	keys := make([]batchKey, len(old))
	for i, b := range old {
		keys[i] = b.key
	}
	if err := l.store.deletePublications(keys); err != nil {
		l.logger.Error("published names could not be deleted; the next start deletes them", zap.Error(err))
	}
}

func (l *linker) takeOld(until time.Time) []*batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for n < len(l.left) && !l.left[n].published.After(until) {
		for i := range l.left[n].spans {
			l.index.remove(&l.left[n].spans[i])
		}
		n++
	}
	old := l.left[:n:n]
	l.left = l.left[n:]
	return old
}
