package slicestore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"
	"go.uber.org/zap"
)

// Sizes of one slice, in bytes. Values live in the value log, which is written in
// sequence and goes with its slice; the tree holds keys alone and never needs to be
// compacted.
const (
	memTableSize     = 1 << 20
	valueThreshold   = 128
	valueLogFileSize = 64 << 20
	// maxSliceBytes and maxSliceRecords end a slice before its time.
	maxSliceBytes   = 256 << 20
	maxSliceRecords = 1 << 16
	// recordOverhead is what a record takes beside its value, about.
	recordOverhead = 128
	// emptySliceBytes is what a slice without records takes on the disk, about.
	emptySliceBytes = 32 << 10
)

// slice is a Badger database with the records of some time.
type slice struct {
	first Key
	path  string
	db    *badger.DB

	// What follows is guarded by the store's lock.

	live    int   // records that were not released
	records int   // records ever put
	bytes   int64 // on disk, about
	sealed  bool  // no more records come

	// reading keeps the database open while somebody reads.
	reading sync.RWMutex
	closed  bool
}

func openSlice(path string, first Key, syncWrites bool, logger *zap.Logger) (s *slice, err error) {
	defer recoverAs(&err) // Badger panics on some damages
	if err := errors.Join(checkTables(path), dropDiscards(path), dropEmptyLogs(path)); err != nil {
		return nil, err
	}
	db, err := badger.Open(badgerOptions(path, syncWrites, logger))
	if err != nil {
		return nil, err
	}
	return &slice{first: first, path: path, db: db, bytes: emptySliceBytes}, nil
}

func badgerOptions(dir string, syncWrites bool, logger *zap.Logger) badger.Options {
	return badger.DefaultOptions(dir).
		WithSyncWrites(syncWrites).
		WithLogger(badgerLogger{logger.Sugar()}).
		WithMetricsEnabled(false).
		WithDetectConflicts(false). // every key has one writer
		WithMemTableSize(memTableSize).
		WithNumMemtables(1).
		WithNumCompactors(0).
		WithNumLevelZeroTablesStall(1 << 20). // nothing compacts
		WithValueThreshold(valueThreshold).
		WithValueLogFileSize(valueLogFileSize).
		WithVerifyValueChecksum(true).
		WithCompression(options.None). // values are compressed; no block cache is needed
		WithBlockCacheSize(0).
		WithIndexCacheSize(0).
		WithChecksumVerificationMode(options.OnTableRead)
}

func recoverAs(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("store is damaged: %v", r)
	}
}

func (s *slice) put(key, value []byte) error {
	return s.db.Update(func(txn *badger.Txn) error { return txn.Set(key, value) })
}

var errClosed = errors.New("slice is closed")

// view runs f in a transaction unless the slice was closed meanwhile.
func (s *slice) view(f func(*badger.Txn) error) (err error) {
	s.reading.RLock()
	defer s.reading.RUnlock()
	if s.closed {
		return errClosed
	}
	defer recoverAs(&err)
	return s.db.View(f)
}

func (s *slice) get(key []byte, f func([]byte) error) error {
	return s.view(func(txn *badger.Txn) error {
		item, err := txn.Get(key)
		if err != nil {
			return err
		}
		return valueOf(item, f)
	})
}

// errNoValue is what remains of a value whose file is missing: Badger then gives an
// empty one. No record is empty.
var errNoValue = errors.New("the value is missing")

func valueOf(item *badger.Item, f func([]byte) error) error {
	return item.Value(func(value []byte) error {
		if len(value) == 0 {
			return errNoValue
		}
		return f(value)
	})
}

// each calls f with every record in the order of the keys. What cannot be read is
// given to corrupt.
func (s *slice) each(f func(Key, []byte) error, corrupt func(string, error)) error {
	return s.view(func(txn *badger.Txn) error {
		opts := badger.DefaultIteratorOptions
		opts.PrefetchValues = false
		it := txn.NewIterator(opts)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			item := it.Item()
			key, err := ParseKey(item.Key())
			if err == nil {
				err = valueOf(item, func(value []byte) error { return f(key, value) })
			}
			if err != nil {
				corrupt(fmt.Sprintf("%s/%x", filepath.Base(s.path), item.Key()), err)
			}
		}
		return nil
	})
}

// count fills live, records and bytes of a slice that was there before.
func (s *slice) count() error {
	err := s.view(func(txn *badger.Txn) error {
		opts := badger.DefaultIteratorOptions
		opts.PrefetchValues = false
		it := txn.NewIterator(opts)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			s.records++
			s.bytes += it.Item().EstimatedSize() + recordOverhead
		}
		return nil
	})
	s.live = s.records
	return err
}

func (s *slice) close() (err error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	defer recoverAs(&err)
	return s.db.Close()
}

// remove deletes a closed slice. It is renamed first, so that one that is half
// deleted is known as such.
func (s *slice) remove() error {
	gone := filepath.Join(filepath.Dir(s.path), droppedPrefix+filepath.Base(s.path))
	if err := os.Rename(s.path, gone); err != nil {
		return err
	}
	return os.RemoveAll(gone)
}
