package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"
)

// progressInterval is how often a long rebuild says how far it is.
const progressInterval = 5 * time.Second

// rebuild fills index and queue from the store: first what left and is still
// remembered, then what waits, each in order of arrival, and last the names.
func (l *linker) rebuild() error {
	started := time.Now()
	r := rebuilder{l: l, waiting: map[batchKey]bool{}, reported: started}
	if err := r.run(); err != nil {
		return err
	}
	took := time.Since(started)
	l.telemetry.ProcessorSeqlinkRebuildDuration.Record(context.Background(), took.Seconds())
	if r.spans > 0 || r.corrupt > 0 {
		l.logger.Info("rebuilt the index of spans", zap.Int("spans", r.spans), zap.Int64("waiting", l.held.Load()),
			zap.Int("corrupt_records", r.corrupt), zap.Duration("took", took))
	}
	return nil
}

type rebuilder struct {
	l       *linker
	waiting map[batchKey]bool
	// names are applied at the end, when all segments are known.
	names          []segmentName
	spans, corrupt int
	reported       time.Time
}

func (r *rebuilder) run() error {
	store := r.l.store
	if !store.durable {
		return nil
	}
	if err := store.each(waitingPrefix, false, r.noteWaiting, r.skip); err != nil {
		return err
	}
	if err := store.each(publishedPrefix, true, r.addPublication, r.skip); err != nil {
		return err
	}
	if err := store.each(waitingPrefix, true, r.addBatch, r.skip); err != nil {
		return err
	}
	r.applyNames()
	return nil
}

func (r *rebuilder) noteWaiting(key batchKey, _ []byte) error {
	r.waiting[key] = true
	return nil
}

// addPublication remembers a batch that left. Of one that was about to leave, and
// so is stored still, only the names count.
func (r *rebuilder) addPublication(key batchKey, data []byte) error {
	p, err := decodePublication(data)
	if err != nil {
		return fmt.Errorf("%w: %w", errCorrupt, err)
	}
	r.names = append(r.names, p.names...)
	r.noteKey(key)
	if r.waiting[key] {
		return nil
	}
	b := &batch{key: key, spans: p.spans, published: r.notInFuture(p.published)}
	r.addSpans(b)
	r.l.left = append(r.l.left, b)
	return nil
}

func (r *rebuilder) addBatch(key batchKey, data []byte) error {
	td, err := unmarshalTraces(data)
	if err != nil {
		return fmt.Errorf("%w: %w", errCorrupt, err)
	}
	b := &batch{key: key, state: batchWaiting, arrival: r.notInFuture(time.Unix(0, key.arrival)), spans: readSpans(td)}
	r.noteKey(key)
	r.addSpans(b)
	r.l.queue = append(r.l.queue, b)
	r.l.held.Add(int64(len(b.spans)))
	return nil
}

func (r *rebuilder) addSpans(b *batch) {
	for i := range b.spans {
		r.l.index.add(&b.spans[i])
	}
	r.spans += len(b.spans)
	r.report()
}

func (r *rebuilder) report() {
	if time.Since(r.reported) < progressInterval {
		return
	}
	r.reported = time.Now()
	r.l.logger.Info("rebuilding the index of spans", zap.Int("spans", r.spans))
}

func (r *rebuilder) noteKey(key batchKey) {
	r.l.lastKey = batchKey{arrival: max(key.arrival, r.l.lastKey.arrival), seq: max(key.seq, r.l.lastKey.seq)}
}

// notInFuture guards against a clock that was set back while the linker was down.
func (r *rebuilder) notInFuture(t time.Time) time.Time {
	if now := r.l.now(); t.After(now) {
		return now
	}
	return t
}

func (r *rebuilder) applyNames() {
	for _, n := range r.names {
		seg := r.l.index.segments[n.trace]
		if seg == nil || !n.name.published() {
			continue
		}
		if !seg.name.published() {
			seg.name = n.name
		}
		seg.group.offer(n.name)
	}
}

func (r *rebuilder) skip(key []byte, err error) {
	r.corrupt++
	add(r.l.telemetry.ProcessorSeqlinkCorruptRecords, 1)
	r.l.logger.Error("skipped a stored record that cannot be read", zap.Binary("key", key), zap.Error(err))
}
