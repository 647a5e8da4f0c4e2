package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/seqlink/seqlink/processor/seqlinkprocessor/internal/sampling"
)

var errNotRunning = errors.New("the seqlink processor is not running")

// linker is the engine behind the processor: the store of waiting spans, the
// index over them, and the queue in which they leave.
type linker struct {
	cfg       *Config
	logger    *zap.Logger
	telemetry *telemetry
	next      consumer.Traces
	// now is the clock; tests set their own.
	now       func() time.Time
	store     *store
	sampler   sampling.Sampler
	committer committer

	held     atomic.Int64 // spans in queue
	inflight sync.WaitGroup
	pace     pace

	mu     sync.Mutex // guards what follows
	closed bool
	index  *index
	// queue has the batches that wait, in order of arrival.
	queue []*batch
	// left has the batches that left and are remembered, in the order in which they did.
	left    []*batch
	lastKey batchKey

	// What follows belongs to the goroutine that flushes.

	// observed is when the sizes were reported last.
	observed time.Time
	// emissions is how many batches are handed over at the same time.
	emissions int
	cursor    cursor
	retry     retry
}

// newLinker opens the store and rebuilds the index from it.
func newLinker(cfg *Config, logger *zap.Logger, tel *telemetry, next consumer.Traces, now func() time.Time) (*linker, error) {
	sampler, err := sampling.New(cfg.SamplingRate)
	if err != nil {
		return nil, fmt.Errorf("sampling_rate: %w", err)
	}
	store, err := openStore(cfg, logger, tel)
	if err != nil {
		return nil, err
	}
	l := &linker{cfg: cfg, logger: logger, telemetry: tel, next: next, now: now, store: store, sampler: sampler, emissions: maxEmissions}
	l.index = newIndex(l.rules())
	l.committer.store = l.storeGroup
	if err := l.rebuild(); err != nil {
		l.index.release()
		return nil, errors.Join(err, store.close())
	}
	return l, nil
}

func (l *linker) rules() indexRules {
	return indexRules{
		inherit:     l.cfg.InheritAppTraceID,
		honorApp:    l.cfg.HonorAppSampling,
		keep:        l.sampler.Keep,
		maxSpans:    l.cfg.MaxSpansPerTrace,
		maxDuration: l.cfg.MaxTraceDuration,
		onJoin:      l.telemetry.joined,
		onLimit:     l.telemetry.limited,
		onName: func(spans int) {
			l.telemetry.ProcessorSeqlinkTraceSize.Record(context.Background(), int64(spans))
		},
	}
}

// accept stores and indexes td. When it returns nil, the spans survive the end of
// the process (with a store on disk); when it returns an error, the sender may
// send all of td again, what was taken already is recognised.
func (l *linker) accept(td ptrace.Traces) error {
	requests, err := newRequests(td, maxRequestBytes)
	if err != nil {
		return err
	}
	if err := l.enter(); err != nil {
		return err
	}
	defer l.inflight.Done()
	var errs error
	for _, r := range requests {
		if r.size > maxBatchBytes {
			l.dropOutsized(r)
			continue
		}
		errs = errors.Join(errs, l.committer.commit(r))
	}
	return errs
}

// enter counts a sender in, unless the linker was closed.
func (l *linker) enter() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errNotRunning
	}
	l.inflight.Add(1)
	return nil
}

func (l *linker) dropOutsized(r *request) {
	add(l.telemetry.ProcessorSeqlinkSpansReceived, len(r.spans))
	l.telemetry.dropped(dropTooLarge, len(r.spans))
	l.logger.Warn("dropped a span that is too large to be stored", zap.Int("bytes", r.size), zap.Int("max_bytes", maxBatchBytes))
}

// storeGroup stores and indexes a group as one batch. It has one caller at a time.
func (l *linker) storeGroup(g *commitGroup) error {
	n := g.spans()
	l.pace.wait()
	if err := l.makeRoom(g.bytes); err != nil {
		add(l.telemetry.ProcessorSeqlinkSpansRefused, n)
		return err
	}
	b := l.newBatch()
	if err := l.store.putBatch(b.key, g.data()); err != nil {
		l.dropKey(b.key)
		add(l.telemetry.ProcessorSeqlinkSpansRefused, n)
		return fmt.Errorf("spans cannot be stored: %w; try again later", err)
	}
	late := l.admit(b, g)
	add(l.telemetry.ProcessorSeqlinkSpansReceived, n)
	add(l.telemetry.ProcessorSeqlinkSpansLate, late)
	return nil
}

// newBatch returns a batch whose key is after all others, also when the clock was set
// back.
func (l *linker) newBatch() *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	l.lastKey = batchKey{Arrival: max(now.UnixNano(), l.lastKey.Arrival), Seq: l.lastKey.Seq + 1}
	return &batch{key: l.lastKey, arrival: now}
}

// dropKey takes back the last key: a number that is left out means a batch was lost.
func (l *linker) dropKey(key batchKey) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lastKey == key {
		l.lastKey.Seq--
	}
}

// admit indexes the spans of a stored batch and lets it wait. It counts the spans
// whose trace has a published name already.
func (l *linker) admit(b *batch, g *commitGroup) (late int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b.spans = make([]handle, 0, g.spans())
	for _, r := range g.requests {
		l.index.touch(r.spans)
		for i := range r.spans {
			h := l.index.add(&r.spans[i])
			b.spans = append(b.spans, h)
			if l.index.late(h) {
				late++
			}
		}
		r.free()
	}
	l.queue = append(l.queue, b)
	l.held.Add(int64(len(b.spans)))
	return late
}

// late tells whether a span came after its trace was named.
func (x *index) late(h handle) bool {
	return h != spanUnindexed && h != spanDuplicate && x.groupOf(x.spans.At(h).segment).name.published()
}
