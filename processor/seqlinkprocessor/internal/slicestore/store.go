// Package slicestore stores records that come, and are given up, in the order of
// time. It cuts time into slices, each a Badger database of its own: records are
// written and read in sequence, and what is no longer needed goes by deleting
// directories, without compaction or garbage collection of a value log.
package slicestore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

const droppedPrefix = "dropped-"

// ErrNoSpace says that the disk has less than Options.MinFree left.
var ErrNoSpace = errors.New("not enough space on the disk")

// Options says how a store behaves.
type Options struct {
	// SliceTime is how long a slice takes records.
	SliceTime time.Duration
	// SyncWrites flushes every record to the disk before Put returns.
	SyncWrites bool
	// MinFree is the space, in bytes, that is left to others. The files of Badger are
	// mapped into memory, and writing to such a file on a full disk would end the process.
	MinFree int64
	// Quarantine is the directory to which slices go that cannot be opened; it is
	// created when needed.
	Quarantine string
	// OnQuarantine is told of each.
	OnQuarantine func(slice string, cause error)
	// OnDropFailed is told of a slice that could not be deleted.
	OnDropFailed func(error)
	// OnWrite and OnRead are told of each value: its bytes, and how long Badger took.
	OnWrite func(bytes int, took time.Duration)
	OnRead  func(bytes int)
	Logger  *zap.Logger
}

// Store is a sequence of slices in one directory. Put has one caller at a time;
// everything else may be called from any goroutine.
type Store struct {
	dir  string
	opts Options

	mu     sync.Mutex
	slices []*slice // in the order of their keys
	size   atomic.Int64
	drops  sync.WaitGroup
}

// Open opens the store in dir, which is created when missing.
func Open(dir string, opts Options) (*Store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{dir: dir, opts: opts}
	for _, e := range entries {
		if err := s.openEntry(e.Name()); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// openEntry opens a slice that was there before. Names sort like keys.
func (s *Store) openEntry(name string) error {
	path := filepath.Join(s.dir, name)
	if len(name) > len(droppedPrefix) && name[:len(droppedPrefix)] == droppedPrefix {
		return os.RemoveAll(path)
	}
	first, err := parseName(name)
	if err != nil {
		return s.quarantine(name, err)
	}
	old, err := openSlice(path, first, s.opts.SyncWrites, s.opts.Logger)
	if err != nil {
		return s.quarantine(name, err)
	}
	if err := old.count(); err != nil {
		return errors.Join(old.close(), s.quarantine(name, err))
	}
	old.sealed = true
	s.slices = append(s.slices, old)
	s.size.Add(old.bytes)
	return nil
}

// quarantine moves a slice away that cannot be used.
func (s *Store) quarantine(name string, cause error) error {
	if err := os.MkdirAll(s.opts.Quarantine, 0o700); err != nil {
		return err
	}
	to := filepath.Join(s.opts.Quarantine, filepath.Base(s.dir)+"-"+name)
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(s.dir, name), to); err != nil {
		return err
	}
	s.opts.OnQuarantine(to, cause)
	return nil
}

// Put stores a record. Its key is after those of all records before. Without room for it
// the last slice ends, because only what has ended can go and make room.
func (s *Store) Put(key Key, value []byte) error {
	if err := s.checkSpace(); err != nil {
		if last := s.last(); last != nil {
			s.seal(last)
		}
		return err
	}
	current, err := s.current(key)
	if err != nil {
		return err
	}
	if err := s.write(current, key, value); err != nil {
		s.seal(current)
		return fmt.Errorf("write to %s: %w", current.path, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	current.live++
	current.records++
	current.bytes += int64(len(value)) + recordOverhead
	s.size.Add(int64(len(value)) + recordOverhead)
	return nil
}

// Replace gives a record another value.
func (s *Store) Replace(key Key, value []byte) error {
	if err := s.checkSpace(); err != nil {
		return err
	}
	s.mu.Lock()
	holder := s.find(key)
	s.mu.Unlock()
	if holder == nil {
		return fmt.Errorf("no slice of %s has key %s", s.dir, key)
	}
	if err := s.write(holder, key, value); err != nil {
		return fmt.Errorf("write to %s: %w", holder.path, err)
	}
	return nil
}

func (s *Store) write(to *slice, key Key, value []byte) error {
	began := time.Now()
	err := to.put(key.Append(nil), value)
	if err == nil && s.opts.OnWrite != nil {
		s.opts.OnWrite(len(value), time.Since(began))
	}
	return err
}

func (s *Store) checkSpace() error {
	free, err := freeSpace(s.dir)
	if err != nil {
		return fmt.Errorf("free space of %s: %w", s.dir, err)
	}
	if free < s.opts.MinFree {
		return fmt.Errorf("%w of %s: %d MiB are free, %d MiB are left to others", ErrNoSpace, s.dir, free>>20, s.opts.MinFree>>20)
	}
	return nil
}

// current returns the slice for a record with this key, a new one when the last
// one has had its time or is full.
func (s *Store) current(key Key) (*slice, error) {
	if last := s.last(); last != nil {
		if !last.sealed && time.Duration(key.Arrival-last.first.Arrival) < s.opts.SliceTime &&
			last.bytes < maxSliceBytes && last.records < maxSliceRecords {
			return last, nil
		}
		s.seal(last)
	}
	path := filepath.Join(s.dir, key.String())
	opened, err := openSlice(path, key, s.opts.SyncWrites, s.opts.Logger)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slices = append(s.slices, opened)
	s.size.Add(opened.bytes)
	return opened, nil
}

func (s *Store) last() *slice {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.slices) == 0 {
		return nil
	}
	return s.slices[len(s.slices)-1]
}

// seal ends a slice, which goes when its records were released.
func (s *Store) seal(old *slice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old.sealed = true
	s.dropIfDone(old)
}

// find returns the slice that holds a key, or nil.
func (s *Store) find(key Key) *slice {
	after, found := slices.BinarySearchFunc(s.slices, key, func(x *slice, k Key) int { return x.first.Compare(k) })
	switch {
	case found:
		return s.slices[after]
	case after == 0:
		return nil
	}
	return s.slices[after-1]
}

// Get calls f with a record's value, which is valid until f returns.
func (s *Store) Get(key Key, f func([]byte) error) error {
	s.mu.Lock()
	holder := s.find(key)
	s.mu.Unlock()
	if holder == nil {
		return fmt.Errorf("no slice of %s has key %s", s.dir, key.String())
	}
	read := func(value []byte) error {
		if s.opts.OnRead != nil {
			s.opts.OnRead(len(value))
		}
		return f(value)
	}
	if err := holder.get(key.Append(nil), read); err != nil {
		return fmt.Errorf("read from %s: %w", holder.path, err)
	}
	return nil
}

// First returns the key with which the oldest slice begins.
func (s *Store) First() (Key, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.slices) == 0 {
		return Key{}, false
	}
	return s.slices[0].first, true
}

// Release gives a record up. It may be there still when the store is opened again.
func (s *Store) Release(key Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if holder := s.find(key); holder != nil {
		holder.live--
		s.dropIfDone(holder)
	}
}

// DropEmpty deletes the slices without records that Open found.
func (s *Store) DropEmpty() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range slices.Clone(s.slices) {
		s.dropIfDone(x)
	}
}

func (s *Store) dropIfDone(old *slice) {
	if !old.sealed || old.live > 0 {
		return
	}
	at := slices.Index(s.slices, old)
	if at < 0 {
		return
	}
	s.slices = slices.Delete(s.slices, at, at+1)
	s.size.Add(-old.bytes)
	s.drops.Go(func() {
		if err := errors.Join(old.close(), old.remove()); err != nil {
			s.opts.OnDropFailed(fmt.Errorf("delete %s: %w", old.path, err))
		}
	})
}

// Each calls f with every record, in the order of the keys. Values are valid until
// f returns. Records that cannot be read, or for which f returns an error, are given
// to corrupt, and up.
func (s *Store) Each(f func(Key, []byte) error, corrupt func(record string, err error)) error {
	s.mu.Lock()
	all := slices.Clone(s.slices)
	s.mu.Unlock()
	for _, x := range all {
		err := x.each(f, func(record string, err error) {
			s.mu.Lock()
			x.live--
			s.mu.Unlock()
			corrupt(record, err)
		})
		if err != nil {
			return fmt.Errorf("read %s: %w", x.path, err)
		}
	}
	return nil
}

// Len counts the records that were not given up.
func (s *Store) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, x := range s.slices {
		n += x.live
	}
	return n
}

// Slices counts the databases that are open.
func (s *Store) Slices() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.slices)
}

// Size returns how much of the disk the store uses, in bytes, about.
func (s *Store) Size() int64 { return s.size.Load() }

// Close ends the store, which can be opened again.
func (s *Store) Close() error {
	s.drops.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs error
	for _, x := range s.slices {
		if err := x.close(); err != nil {
			errs = errors.Join(errs, fmt.Errorf("close %s: %w", x.path, err))
		}
	}
	s.slices = nil
	return errs
}
