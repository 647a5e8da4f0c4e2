package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/s2"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/seqlink/seqlink/processor/seqlinkprocessor/internal/batchcodec"
	"github.com/seqlink/seqlink/processor/seqlinkprocessor/internal/slicestore"
)

// The space, in bytes, that is left free on the disk. Names may still be written where
// spans may not be taken any more: without their names waiting spans could not leave,
// and their space would not become free.
const (
	minFreeForSpans = 64 << 20
	minFreeForNames = 16 << 20
)

// Slices of waiting spans take half a window, so that the disk holds one and a half
// of it; those of published names an eighth of the retention.
const (
	waitingSlices   = 2
	publishedSlices = 8
	minSliceTime    = time.Second
)

// store keeps the spans that wait and the names that were published.
type store struct {
	// waiting has marshalled and compressed spans, by the key of their batch.
	waiting recordStore
	// published has the records of batches that left. It is nil in memory: records are
	// for the next start.
	published *slicestore.Store
	lock      *os.File
}

// recordStore is the part of a slicestore.Store that waiting spans need.
type recordStore interface {
	Put(key batchKey, value []byte) error
	Get(key batchKey, f func([]byte) error) error
	Release(key batchKey)
	Size() int64
	Close() error
}

func openStore(cfg *Config, logger *zap.Logger, tel *telemetry) (*store, error) {
	if cfg.DBPath == "" {
		return &store{waiting: slicestore.NewMemory()}, nil
	}
	if err := os.MkdirAll(cfg.DBPath, 0o700); err != nil {
		return nil, fmt.Errorf("db_path: cannot create %q: %w: use a directory that the collector may write", cfg.DBPath, err)
	}
	lock, err := slicestore.Lock(cfg.DBPath)
	if err != nil {
		return nil, fmt.Errorf("db_path: cannot use %q: %w: it must be writable and used by no other collector or pipeline", cfg.DBPath, err)
	}
	s := &store{lock: lock}
	if err := s.open(cfg, logger, tel); err != nil {
		return nil, errors.Join(fmt.Errorf("db_path: cannot open %q: %w: if it is damaged, move it away", cfg.DBPath, err), s.close())
	}
	return s, nil
}

func (s *store) open(cfg *Config, logger *zap.Logger, tel *telemetry) error {
	opts := slicestore.Options{
		SyncWrites: cfg.SyncWrites,
		MinFree:    minFreeForSpans,
		Quarantine: filepath.Join(cfg.DBPath, "quarantine"),
		OnQuarantine: func(slice string, cause error) {
			add(tel.ProcessorSeqlinkStoreQuarantined, 1)
			logger.Error("a part of the store cannot be read: moved away; going on without it", zap.String("moved_to", slice), zap.Error(cause))
		},
		OnWrite:      tel.storeWritten,
		OnRead:       func(bytes int) { add(tel.ProcessorSeqlinkStoreRead, bytes) },
		OnDropFailed: func(err error) { logger.Error("a part of the store could not be deleted", zap.Error(err)) },
		Logger:       logger,
	}
	opts.SliceTime = max(cfg.Window/waitingSlices, minSliceTime)
	waiting, err := slicestore.Open(filepath.Join(cfg.DBPath, "waiting"), opts)
	if err != nil {
		return err
	}
	s.waiting = waiting
	opts.SliceTime, opts.MinFree = max(cfg.retention()/publishedSlices, minSliceTime), minFreeForNames
	s.published, err = slicestore.Open(filepath.Join(cfg.DBPath, "published"), opts)
	return err
}

// durable tells whether the store survives the process.
func (s *store) durable() bool { return s.lock != nil }

// databases counts the Badger databases that are open.
func (s *store) databases() int {
	if !s.durable() {
		return 0
	}
	return s.waiting.(*slicestore.Store).Slices() + s.published.Slices()
}

// putBatch stores encoded spans.
func (s *store) putBatch(key batchKey, data []byte) error {
	compressed := bytesPool.get()
	compressed = s2.Encode(compressed[:cap(compressed)], data)
	defer bytesPool.put(compressed)
	return s.waiting.Put(key, compressed)
}

// batch reads a batch back.
func (s *store) batch(key batchKey) (td ptrace.Traces, err error) {
	err = s.waiting.Get(key, func(value []byte) error {
		td, err = decodeBatch(value)
		return err
	})
	return td, err
}

// maxDecoded bounds what a damaged record can claim to hold, in bytes.
const maxDecoded = 256 << 20

func decodeBatch(value []byte) (ptrace.Traces, error) {
	n, err := s2.DecodedLen(value)
	if err == nil && n > maxDecoded {
		err = fmt.Errorf("%d bytes, at most %d are possible", n, maxDecoded)
	}
	if err != nil {
		return ptrace.Traces{}, fmt.Errorf("decompress spans: %w", err)
	}
	buffer := bytesPool.get()
	data, err := s2.Decode(buffer[:cap(buffer)], value)
	defer bytesPool.put(data) // unmarshalled spans do not refer to it
	if err != nil {
		return ptrace.Traces{}, fmt.Errorf("decompress spans: %w", err)
	}
	return batchcodec.Decode(data)
}

// diskBytes returns what the store takes on the disk, about.
func (s *store) diskBytes() int64 {
	if !s.durable() {
		return 0
	}
	return s.waiting.Size() + s.published.Size()
}

// memoryBytes returns what waiting spans take in memory.
func (s *store) memoryBytes() int64 {
	if s.durable() {
		return 0
	}
	return s.waiting.Size()
}

func (s *store) close() error {
	var errs []error
	if s.waiting != nil {
		errs = append(errs, s.waiting.Close())
	}
	if s.published != nil {
		errs = append(errs, s.published.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}

// observe reports the sizes of the store and of the index.
func (l *linker) observeSizes(ctx context.Context) {
	l.mu.Lock()
	index, known := l.index.bytes(), l.index.known
	l.mu.Unlock()
	l.telemetry.ProcessorSeqlinkIndexSize.Record(ctx, int64(index))
	l.telemetry.ProcessorSeqlinkIndexSpans.Record(ctx, int64(known))
	l.telemetry.ProcessorSeqlinkStoreDatabases.Record(ctx, int64(l.store.databases()))
	l.telemetry.ProcessorSeqlinkStoreSize.Record(ctx, l.store.diskBytes()+l.store.memoryBytes())
}
