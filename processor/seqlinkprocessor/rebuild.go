package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/seqlink/seqlink/processor/seqlinkprocessor/internal/slicestore"
)

// progressInterval is how often a long rebuild says how far it is.
const progressInterval = 5 * time.Second

// rebuild fills index and queue from the store: first what left and is still
// remembered, then what waits, each in order of arrival, and last the names.
func (l *linker) rebuild() error {
	waiting, ok := l.store.waiting.(*slicestore.Store)
	if !ok {
		l.telemetry.ProcessorSeqlinkRebuildDuration.Record(context.Background(), 0)
		return nil
	}
	started := time.Now()
	r := rebuilder{l: l, recorded: map[batchKey]bool{}, reported: started}
	if err := r.run(waiting, l.store.published); err != nil {
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
	l *linker
	// left is the key of the last batch that left.
	left batchKey
	// recorded has the batches that have a record and did not leave.
	recorded map[batchKey]bool
	// over are stored batches that left.
	over []batchKey
	// names are applied at the end, when all segments are known.
	names    []recordedSegment
	spans    int
	reported time.Time

	mu      sync.Mutex // guards corrupt
	corrupt int
}

func (r *rebuilder) run(waiting, published *slicestore.Store) error {
	if err := r.openCursor(waiting); err != nil {
		return err
	}
	if err := published.Each(r.addPublication, r.skip); err != nil {
		return err
	}
	if err := r.addWaiting(waiting); err != nil {
		return err
	}
	for _, n := range r.names {
		if seg := r.l.index.findSegment(n.trace); seg != 0 && n.name.published() {
			r.l.index.restoreName(seg, n.name)
		}
	}
	for _, key := range r.over {
		waiting.Release(key)
	}
	waiting.DropEmpty()
	published.DropEmpty()
	return nil
}

// openCursor finds out what left. Where that is not known, it is what was before the
// oldest slice of waiting spans.
func (r *rebuilder) openCursor(waiting *slicestore.Store) (err error) {
	r.l.cursor, r.left, err = openCursor(r.l.cfg.DBPath)
	if errors.Is(err, errBadCursor) {
		r.skip("cursor", err)
		err = nil
	}
	if r.left == (batchKey{}) {
		first, ok := waiting.First()
		if !ok {
			first = batchKey{Arrival: math.MaxInt64}
		}
		r.left = batchKey{Arrival: first.Arrival - 1, Seq: math.MaxUint64}
		return err
	}
	r.noteKey(r.left)
	return err
}

// addPublication remembers a batch that left. Of one that was about to leave, and
// so waits still, only the names count.
func (r *rebuilder) addPublication(key batchKey, data []byte) error {
	p, err := decodePublication(data)
	if err != nil {
		return err
	}
	r.names = append(r.names, p.segments...)
	r.noteKey(key)
	if key.Compare(r.left) > 0 {
		r.recorded[key] = true
		return nil
	}
	b := &batch{key: key, published: r.notInFuture(p.published), recorded: true}
	b.segments = r.l.index.restore(&p)
	r.l.left = append(r.l.left, b)
	r.progress(len(p.spans) + len(p.full))
	return nil
}

// addWaiting indexes the batches that did not leave.
func (r *rebuilder) addWaiting(waiting *slicestore.Store) error {
	d := newBatchDecoder(func(key batchKey, spans []arrival, err error) {
		if err != nil {
			r.skip(key.String(), err)
			waiting.Release(key)
			return
		}
		r.addBatch(key, spans)
	})
	defer d.wait()
	previous := uint64(0)
	return waiting.Each(func(key batchKey, data []byte) error {
		r.noteKey(key)
		if previous > 0 && key.Seq > previous+1 {
			r.miss(int(key.Seq - previous - 1))
		}
		previous = key.Seq
		if key.Compare(r.left) <= 0 {
			r.over = append(r.over, key)
			return nil
		}
		d.decode(key, data)
		return nil
	}, r.skip)
}

func (r *rebuilder) addBatch(key batchKey, spans []arrival) {
	b := &batch{key: key, arrival: r.notInFuture(time.Unix(0, key.Arrival)), recorded: r.recorded[key]}
	b.spans = make([]handle, len(spans))
	for i := range spans {
		b.spans[i] = r.l.index.add(&spans[i])
	}
	r.l.queue = append(r.l.queue, b)
	r.l.held.Add(int64(len(spans)))
	r.progress(len(spans))
}

func (r *rebuilder) progress(spans int) {
	r.spans += spans
	if time.Since(r.reported) < progressInterval {
		return
	}
	r.reported = time.Now()
	r.l.logger.Info("rebuilding the index of spans", zap.Int("spans", r.spans))
}

func (r *rebuilder) noteKey(key batchKey) {
	r.l.lastKey = batchKey{Arrival: max(key.Arrival, r.l.lastKey.Arrival), Seq: max(key.Seq, r.l.lastKey.Seq)}
}

// notInFuture guards against a clock that was set back while the linker was down.
func (r *rebuilder) notInFuture(t time.Time) time.Time {
	if now := r.l.now(); t.After(now) {
		return now
	}
	return t
}

// miss counts batches that must have been stored, because the numbers of their keys are
// left out, and are not there.
func (r *rebuilder) miss(batches int) {
	r.mu.Lock()
	r.corrupt += batches
	r.mu.Unlock()
	add(r.l.telemetry.ProcessorSeqlinkCorruptRecords, batches)
	r.l.logger.Error("stored batches are missing", zap.Int("batches", batches))
}

func (r *rebuilder) skip(record string, err error) {
	r.mu.Lock()
	r.corrupt++
	r.mu.Unlock()
	add(r.l.telemetry.ProcessorSeqlinkCorruptRecords, 1)
	r.l.logger.Error("skipped a stored record that cannot be read", zap.String("record", record), zap.Error(err))
}
