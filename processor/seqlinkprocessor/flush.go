package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"context"
	"time"

	"go.uber.org/zap"
)

const (
	minTick = 5 * time.Millisecond
	maxTick = 20 * time.Millisecond
	// observeInterval is how often sizes are reported.
	observeInterval = time.Second
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

// cycle lets every batch leave whose window is over, and forgets what is older than
// the retention.
func (l *linker) cycle(ctx context.Context) {
	if l.retry.due(l.now()) {
		// An error is tried again in a later cycle.
		_ = l.flushDue(ctx, l.cfg.Window, func() bool { return !l.stopped() })
	}
	l.pace.end()
	l.forget()
	if now := l.now(); now.Sub(l.observed) >= observeInterval {
		l.observed = now
		l.observeSizes(ctx)
	}
}

// dueAt returns the nth batch of the queue when it has waited for window.
func (l *linker) dueAt(n int, window time.Duration) *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) <= n || l.now().Sub(l.queue[n].arrival) < window {
		return nil
	}
	return l.queue[n]
}

// flushDue lets batches leave that have waited for window, until none is left, the
// next consumer fails or more says so. Some are on their way at the same time, but they
// are named, and leave the queue, in order of arrival.
func (l *linker) flushDue(ctx context.Context, window time.Duration, more func() bool) error {
	var under, reading []*emission // handed over, and read before that; the oldest first
	defer func() {
		for _, e := range reading { // the store may be closed after this
			<-e.read
		}
	}()
	for {
		for len(reading) < maxReadAhead && len(under)+len(reading) < 2*l.atOnce() && more() {
			b := l.dueAt(len(under)+len(reading), window)
			if b == nil {
				break
			}
			reading = append(reading, l.readAhead(b))
		}
		if len(reading) > 0 && len(under) < l.atOnce() {
			l.prepare(ctx, reading[0])
			under, reading = append(under, reading[0]), reading[1:]
			continue
		}
		if len(under) == 0 {
			return nil
		}
		if err := under[0].wait(); err != nil {
			return l.tryAgain(err, under[1:])
		}
		l.settle(ctx, under[0])
		under = under[1:]
	}
}

// atOnce is how many batches are handed over at the same time: one, as long as the next
// consumer fails.
func (l *linker) atOnce() int {
	if l.retry.failures > 0 {
		return 1
	}
	return l.emissions
}

// lagOf is how long b stayed beyond its window.
func (l *linker) lagOf(b *batch) time.Duration {
	return max(0, l.now().Sub(b.arrival)-l.cfg.Window)
}

// tryAgain takes note that a batch could not leave. Of those behind it that are under
// way, some may have left: it is noted with them.
func (l *linker) tryAgain(err error, behind []*emission) error {
	for _, e := range behind {
		e.batch.emitted = e.wait() == nil
	}
	add(l.telemetry.ProcessorSeqlinkFlushRetries, 1)
	l.retry.failed(l.now(), l.logger, err)
	return err
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
