package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
)

// Sizes of the store, in bytes. Batches below valueThreshold live in the LSM tree,
// from which compaction takes deleted ones by itself; the value log, which is
// only cleaned when the tree says so, holds no more than outsized spans.
const (
	memTableSize     = 8 << 20
	valueThreshold   = 1 << 20
	valueLogFileSize = 16 << 20
	// maxBatchBytes leaves room below valueThreshold for what splitting misjudges.
	maxBatchBytes = valueThreshold / 2
)

const (
	valueLogGCInterval = 5 * time.Minute
	valueLogGCRatio    = 0.5
)

// The first byte of a key says what the value is; a batchKey follows.
const (
	// waitingPrefix: a marshalled ptrace.Traces that has not left yet.
	waitingPrefix = 'w'
	// publishedPrefix: the publication of the batch with the same key.
	publishedPrefix = 'p'
)

// window is the store of the spans that wait and of the names that were
// published. Its methods may be called from any goroutine.
type window struct {
	db *badger.DB
	// durable is false for a store in memory.
	durable bool
	// maxValue is the size of the largest value that can be stored, in bytes.
	maxValue int
	stop     chan struct{}
	gc       sync.WaitGroup
}

// openWindow opens the store in dir, which is created when missing, or in memory
// when dir is empty.
func openWindow(dir string, syncWrites bool, logger *zap.Logger) (*window, error) {
	if dir != "" {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("db_path: cannot create %q: %w: use a directory that the collector may write", dir, err)
		}
	}
	db, err := badger.Open(storeOptions(dir, syncWrites, logger))
	if err != nil {
		return nil, fmt.Errorf("db_path: cannot open %q: %w: it must be writable and used by no other collector or pipeline; if it is damaged, move it away", dir, err)
	}
	w := &window{db: db, durable: dir != "", maxValue: valueLogFileSize, stop: make(chan struct{})}
	if !w.durable {
		w.maxValue = int(db.MaxBatchSize()) - 1024 // a transaction adds some bytes
		return w, nil
	}
	w.gc.Go(w.collectGarbage)
	return w, nil
}

func storeOptions(dir string, syncWrites bool, logger *zap.Logger) badger.Options {
	return badger.DefaultOptions(dir).
		WithInMemory(dir == "").
		WithSyncWrites(syncWrites).
		WithLogger(badgerLogger{logger.Sugar()}).
		WithMetricsEnabled(false).
		WithDetectConflicts(false). // every key has one writer
		WithMemTableSize(memTableSize).
		WithNumMemtables(2).
		WithNumCompactors(2).
		WithValueThreshold(valueThreshold).
		WithValueLogFileSize(valueLogFileSize).
		WithCompression(options.None). // no block cache is needed then
		WithBlockCacheSize(0).
		WithIndexCacheSize(0).
		WithChecksumVerificationMode(options.OnTableRead)
}

// collectGarbage rewrites value log files of which most was deleted.
func (w *window) collectGarbage() {
	ticker := time.NewTicker(valueLogGCInterval)
	defer ticker.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-ticker.C:
		}
		for w.db.RunValueLogGC(valueLogGCRatio) == nil { // until there is nothing to gain
			continue
		}
	}
}

func (w *window) close() error {
	close(w.stop)
	w.gc.Wait()
	if err := w.db.Close(); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}

func storeKey(prefix byte, key batchKey) []byte {
	return key.append(append(make([]byte, 0, 1+batchKeyLen), prefix))
}

// putBatch stores a marshalled batch.
func (w *window) putBatch(key batchKey, data []byte) error {
	return w.put(storeKey(waitingPrefix, key), data)
}

// putPublication stores what names a batch leaves under. A store in memory needs
// none: it is read at start only.
func (w *window) putPublication(key batchKey, record []byte) error {
	if !w.durable {
		return nil
	}
	return w.put(storeKey(publishedPrefix, key), record)
}

func (w *window) put(key, value []byte) error {
	err := w.db.Update(func(txn *badger.Txn) error { return txn.Set(key, value) })
	if err != nil {
		return fmt.Errorf("write to store: %w", err)
	}
	return nil
}

// batch reads a batch back.
func (w *window) batch(key batchKey) (ptrace.Traces, error) {
	var td ptrace.Traces
	err := w.db.View(func(txn *badger.Txn) error {
		item, err := txn.Get(storeKey(waitingPrefix, key))
		if err != nil {
			return err
		}
		return item.Value(func(data []byte) error {
			td, err = unmarshalTraces(data)
			return err
		})
	})
	if err != nil {
		return ptrace.Traces{}, fmt.Errorf("read from store: %w", err)
	}
	return td, nil
}

func unmarshalTraces(data []byte) (ptrace.Traces, error) {
	td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(data)
	if err != nil {
		return ptrace.Traces{}, fmt.Errorf("unmarshal spans: %w", err)
	}
	return td, nil
}

// deleteBatches removes batches that left.
func (w *window) deleteBatches(keys []batchKey) error {
	return w.deleteKeys(storeKeys(waitingPrefix, keys))
}

// deletePublications removes what is not remembered any more.
func (w *window) deletePublications(keys []batchKey) error {
	if !w.durable {
		return nil
	}
	return w.deleteKeys(storeKeys(publishedPrefix, keys))
}

func storeKeys(prefix byte, keys []batchKey) [][]byte {
	stored := make([][]byte, len(keys))
	for i, k := range keys {
		stored[i] = storeKey(prefix, k)
	}
	return stored
}

func (w *window) deleteKeys(keys [][]byte) error {
	if len(keys) == 0 {
		return nil
	}
	wb := w.db.NewWriteBatch()
	defer wb.Cancel()
	for _, k := range keys {
		if err := wb.Delete(k); err != nil {
			return fmt.Errorf("delete from store: %w", err)
		}
	}
	if err := wb.Flush(); err != nil {
		return fmt.Errorf("delete from store: %w", err)
	}
	return nil
}

// errCorrupt is what the callbacks of each return for a record that is to be
// skipped and deleted.
var errCorrupt = errors.New("corrupt record")

// each calls f with every value stored under prefix, in order of arrival, and
// with the key alone when values is false. Records for which f returns errCorrupt,
// or that have no valid key, are given to corrupt and deleted.
func (w *window) each(prefix byte, values bool, f func(batchKey, []byte) error, corrupt func(key []byte, err error)) error {
	var bad [][]byte
	err := w.db.View(func(txn *badger.Txn) error {
		opts := badger.DefaultIteratorOptions
		opts.PrefetchValues = values
		opts.PrefetchSize = 4
		opts.Prefix = []byte{prefix}
		it := txn.NewIterator(opts)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			err := visit(it.Item(), values, f)
			if err == nil {
				continue
			}
			if !errors.Is(err, errCorrupt) {
				return err
			}
			bad = append(bad, it.Item().KeyCopy(nil))
			corrupt(bad[len(bad)-1], err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read store: %w", err)
	}
	return w.deleteKeys(bad)
}

func visit(item *badger.Item, values bool, f func(batchKey, []byte) error) error {
	key, err := parseBatchKey(item.Key()[1:])
	if err != nil {
		return fmt.Errorf("%w: %w", errCorrupt, err)
	}
	if !values {
		return f(key, nil)
	}
	return item.Value(func(data []byte) error { return f(key, data) })
}
