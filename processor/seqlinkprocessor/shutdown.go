package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// drainTimeout bounds how long a shutdown waits in vain for the next consumer to
// take the spans that wait in memory.
const drainTimeout = 5 * time.Second

// stop refuses further spans and waits for those that are being stored. It returns
// false when that was done before.
func (l *linker) stop() bool {
	l.mu.Lock()
	first := !l.closed
	l.closed = true
	l.mu.Unlock()
	l.inflight.Wait()
	return first
}

func (l *linker) stopped() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// close ends the linker. Spans that wait in memory leave at once; those on disk
// stay there for the next start.
func (l *linker) close(ctx context.Context) error {
	var err error
	if !l.store.durable() {
		err = l.drain(ctx)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.index.release()
	return errors.Join(err, l.cursor.close(), l.store.close())
}

// drain lets everything leave that waits, whether its window is over or not. It
// takes as long as it makes progress and ctx allows.
func (l *linker) drain(ctx context.Context) error {
	var waited time.Duration
	for l.dueAt(0, 0) != nil {
		before := l.held.Load()
		err := l.flushDue(ctx, 0, func() bool { return true })
		if err == nil {
			continue
		}
		if l.held.Load() < before {
			waited = 0
		}
		waited += l.retry.delay()
		if waited > drainTimeout || !sleep(ctx, l.retry.delay()) {
			return l.abandon(err)
		}
	}
	return nil
}

// abandon counts what a shutdown has to leave behind.
func (l *linker) abandon(err error) error {
	held := int(l.held.Load())
	l.telemetry.dropped(dropShutdown, held)
	return fmt.Errorf("%d spans that waited in memory were lost at shutdown (set db_path to keep them): %w", held, err)
}

// sleep waits for d and tells whether ctx allowed it.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
