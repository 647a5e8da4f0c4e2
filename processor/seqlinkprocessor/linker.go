package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
)

var (
	errTooManyHeld = errors.New("too many spans wait: max_held_spans is reached; try again later")
	errNotRunning  = errors.New("the seqlink processor is not running")
)

// linker is the engine behind the processor: the store of waiting spans, the
// index over them, and the queue in which they leave.
type linker struct {
	cfg       *Config
	logger    *zap.Logger
	telemetry *telemetry
	next      consumer.Traces
	// now is the clock; tests set their own.
	now   func() time.Time
	store *window

	held     atomic.Int64 // spans in queue
	inflight sync.WaitGroup

	mu     sync.Mutex // guards what follows
	closed bool
	index  *index
	// queue has the batches that wait, in order of arrival.
	queue []*batch
	// left has the batches that left and are remembered, in the order in which they did.
	left    []*batch
	lastKey batchKey

	// What follows belongs to the goroutine that flushes.

	// flushed has the keys of batches that left and are still stored.
	flushed []batchKey
	retry   retry
}

// newLinker opens the store and rebuilds the index from it.
func newLinker(cfg *Config, logger *zap.Logger, tel *telemetry, next consumer.Traces, now func() time.Time) (*linker, error) {
	store, err := openWindow(cfg.DBPath, cfg.SyncWrites, logger)
	if err != nil {
		return nil, err
	}
	l := &linker{
		cfg: cfg, logger: logger, telemetry: tel, next: next, now: now, store: store,
		index: newIndex(cfg.InheritAppTraceID, tel.joined),
	}
	if err := l.rebuild(); err != nil {
		return nil, errors.Join(err, store.close())
	}
	return l, nil
}

// accept stores and indexes td. When it returns nil, the spans survive the end of
// the process (with a store on disk); when it returns an error, the sender may
// send all of td again, what was taken already is recognised.
func (l *linker) accept(td ptrace.Traces) error {
	all, err := newBatches(td, maxBatchBytes)
	if err != nil {
		return err
	}
	batches, outsized := l.storable(all)
	if err := l.reserve(batches); err != nil {
		return err
	}
	defer l.inflight.Done()
	l.dropOutsized(outsized)
	var errs error
	for _, b := range batches {
		err := l.store.putBatch(b.key, b.data)
		l.admit(b, err == nil)
		errs = errors.Join(errs, err)
	}
	return errs
}

// storable parts batches that have spans into those that can be stored and those
// that are too large.
func (l *linker) storable(all []*batch) (batches, outsized []*batch) {
	for _, b := range all {
		switch {
		case len(b.spans) == 0:
		case len(b.data) > l.store.maxValue:
			outsized = append(outsized, b)
		default:
			batches = append(batches, b)
		}
	}
	return batches, outsized
}

func (l *linker) dropOutsized(outsized []*batch) {
	for _, b := range outsized {
		add(l.telemetry.ProcessorSeqlinkSpansReceived, len(b.spans))
		l.telemetry.dropped(dropTooLarge, len(b.spans))
		l.logger.Warn("dropped a span that is too large to be stored", zap.Int("bytes", len(b.data)), zap.Int("max_bytes", l.store.maxValue))
	}
}

// reserve gives the batches their places in the queue. A request larger than
// max_held_spans is accepted when nothing else waits; it never could be otherwise.
func (l *linker) reserve(batches []*batch) error {
	n := countSpans(batches)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errNotRunning
	}
	if held := l.held.Load(); held > 0 && held+int64(n) > int64(l.cfg.MaxHeldSpans) {
		add(l.telemetry.ProcessorSeqlinkSpansRefused, n)
		return fmt.Errorf("%w (%d held, %d allowed)", errTooManyHeld, held, l.cfg.MaxHeldSpans)
	}
	now := l.now()
	for _, b := range batches {
		b.arrival = now
		b.key = l.nextKey(now)
		l.queue = append(l.queue, b)
	}
	l.held.Add(int64(n))
	l.inflight.Add(1)
	return nil
}

func countSpans(batches []*batch) int {
	n := 0
	for _, b := range batches {
		n += len(b.spans)
	}
	return n
}

// nextKey returns a key after the last one, also when the clock was set back.
func (l *linker) nextKey(now time.Time) batchKey {
	l.lastKey = batchKey{arrival: max(now.UnixNano(), l.lastKey.arrival), seq: l.lastKey.seq + 1}
	return l.lastKey
}

// admit indexes a batch that was stored, or voids one that was not.
func (l *linker) admit(b *batch, stored bool) {
	b.data = nil
	if !stored {
		add(l.telemetry.ProcessorSeqlinkSpansRefused, len(b.spans))
		l.held.Add(-int64(len(b.spans)))
		l.setState(b, batchVoid)
		return
	}
	late := l.indexBatch(b)
	add(l.telemetry.ProcessorSeqlinkSpansReceived, len(b.spans))
	add(l.telemetry.ProcessorSeqlinkSpansLate, late)
}

func (l *linker) setState(b *batch, state batchState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b.state = state
}

// indexBatch adds b's spans to the index and counts those whose trace has a
// published name already.
func (l *linker) indexBatch(b *batch) (late int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b.state = batchWaiting
	for i := range b.spans {
		s := &b.spans[i]
		l.index.add(s)
		if s.segment != nil && s.segment.group.name.published() {
			late++
		}
	}
	return late
}
