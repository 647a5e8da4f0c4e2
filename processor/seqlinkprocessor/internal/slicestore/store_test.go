package slicestore

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
)

// bench is a store that records what it complains about.
type bench struct {
	t    *testing.T
	dir  string
	opts Options
	*Store

	mu          sync.Mutex
	quarantined []string
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, dir: filepath.Join(t.TempDir(), "waiting")}
	b.opts = Options{
		SliceTime: time.Second, Quarantine: filepath.Join(filepath.Dir(b.dir), "quarantine"), Logger: zap.NewNop(),
		OnQuarantine: func(slice string, cause error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			require.Error(t, cause)
			b.quarantined = append(b.quarantined, slice)
		},
		OnDropFailed: func(err error) { t.Error(err) },
	}
	b.open()
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

func (b *bench) open() {
	s, err := Open(b.dir, b.opts)
	require.NoError(b.t, err)
	b.Store = s
}

func (b *bench) reopen() {
	require.NoError(b.t, b.Close())
	b.open()
}

func at(d time.Duration, seq uint64) Key {
	return Key{Arrival: 1_700_000_000_000_000_000 + int64(d), Seq: seq}
}

func value(seq uint64) []byte { return bytes.Repeat([]byte(fmt.Sprint(seq, ",")), 500) }

// fill puts n records, five to a slice.
func (b *bench) fill(n int) (keys []Key) {
	for i := range n {
		key := at(time.Duration(i)*200*time.Millisecond, uint64(i))
		require.NoError(b.t, b.Put(key, value(uint64(i))))
		keys = append(keys, key)
	}
	return keys
}

func (b *bench) slices() []string {
	b.drops.Wait()
	entries, err := os.ReadDir(b.dir)
	require.NoError(b.t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func (b *bench) get(key Key) []byte {
	var got []byte
	require.NoError(b.t, b.Get(key, func(v []byte) error { got = bytes.Clone(v); return nil }))
	return got
}

// all returns the keys of all records and the complaints about others.
func (b *bench) all() (keys []Key, corrupt []string) {
	require.NoError(b.t, b.Each(func(k Key, v []byte) error {
		require.Equal(b.t, value(k.Seq), v)
		keys = append(keys, k)
		return nil
	}, func(record string, err error) {
		require.Error(b.t, err)
		corrupt = append(corrupt, record)
	}))
	return keys, corrupt
}

func TestRecordsComeBackInOrder(t *testing.T) {
	b := newBench(t)
	keys := b.fill(20)
	require.Len(t, b.slices(), 4)
	for round := range 2 {
		got, corrupt := b.all()
		require.Equal(t, keys, got)
		require.Empty(t, corrupt)
		require.Equal(t, value(7), b.get(keys[7]))
		require.Equal(t, 20, b.Len(), "round %d", round)
		first, ok := b.First()
		require.True(t, ok)
		require.Equal(t, keys[0], first)
		b.reopen()
	}
	require.Error(t, b.Get(at(0, 99), nil))
	require.Error(t, b.Get(at(-time.Hour, 0), nil))
}

func TestSlicesGoWithTheirLastRecord(t *testing.T) {
	b := newBench(t)
	keys := b.fill(20)
	size := b.Size()
	for i, k := range keys[:14] {
		require.Equal(t, 4-i/5, len(b.slices()), "before record %d", i)
		b.Release(k)
	}
	require.Len(t, b.slices(), 2)
	require.Less(t, b.Size(), size*6/10)
	b.reopen()
	require.Equal(t, 10, b.Len(), "what was given up may be there again, but not what went")
	for _, k := range keys[10:] {
		b.Release(k)
	}
	require.Empty(t, b.slices(), "all slices that were there before take nothing more")
	require.Zero(t, b.Size())
	b.fill(1)
	require.Len(t, b.slices(), 1)
}

func TestReplace(t *testing.T) {
	b := newBench(t)
	keys := b.fill(7)
	require.NoError(t, b.Replace(keys[1], value(77)))
	require.Equal(t, value(77), b.get(keys[1]))
	require.Equal(t, 7, b.Len())
	b.reopen()
	require.Equal(t, 7, b.Len())
	require.Error(t, b.Replace(at(-time.Hour, 0), nil))
}

func TestRecordsWhoseReaderFailsAreGivenUp(t *testing.T) {
	b := newBench(t)
	b.fill(10)
	n := 0
	require.NoError(t, b.Each(func(k Key, _ []byte) error {
		if k.Seq%2 == 0 {
			return errors.New("bad")
		}
		return nil
	}, func(string, error) { n++ }))
	require.Equal(t, 5, n)
	require.Equal(t, 5, b.Len())
}

func TestHalfDeletedSlicesGo(t *testing.T) {
	b := newBench(t)
	b.fill(5)
	require.NoError(t, os.MkdirAll(filepath.Join(b.dir, droppedPrefix+"x", "y"), 0o700))
	b.reopen()
	require.Len(t, b.slices(), 1)
	require.Empty(t, b.quarantined)
}

// Whatever file of a slice is damaged and however, the store opens, the other slices
// are whole, and what is missing was complained about.
func TestDamagedFiles(t *testing.T) {
	damages := map[string]func(path string) error{
		"empty":    func(path string) error { return os.Truncate(path, 0) },
		"half":     cut,
		"garbage":  func(path string) error { return scribble(path, 0, math.MaxInt) },
		"some":     func(path string) error { return scribble(path, 100, 64) },
		"no file":  os.Remove,
		"a folder": func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
	}
	for name, damage := range damages {
		for _, kind := range []string{".vlog", ".sst", "MANIFEST", "KEYREGISTRY", "DISCARD"} {
			t.Run(name+" "+kind, func(t *testing.T) {
				b := newBench(t)
				keys := b.fill(15)
				second := filepath.Join(b.dir, b.slices()[1])
				require.NoError(t, b.Close())
				require.NoError(t, damage(fileOf(t, second, kind)))
				b.open()
				got, corrupt := b.all()
				require.Subset(t, keys, got)
				require.Subset(t, got, keys[:5])
				require.Subset(t, got, keys[10:])
				if len(got) < 15 {
					require.True(t, len(b.quarantined) == 1 || len(corrupt) > 0, "%d of 15 records are there", len(got))
				}
				if len(b.quarantined) == 1 {
					require.DirExists(t, b.quarantined[0])
				}
				require.NoError(t, b.Put(at(time.Hour, 99), value(99)), "the store goes on")
				require.Equal(t, value(99), b.get(at(time.Hour, 99)))
			})
		}
	}
}

// fileOf returns the largest file of a kind, from the name's end.
func fileOf(t *testing.T, dir, kind string) (path string) {
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var size int64 = -1
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		if strings.HasSuffix(e.Name(), kind) && info.Size() > size {
			path, size = filepath.Join(dir, e.Name()), info.Size()
		}
	}
	require.NotEmpty(t, path, "no %s among %v", kind, entries)
	return path
}

func cut(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return os.Truncate(path, info.Size()/2)
}

// scribble overwrites n bytes, at most as many as there are.
func scribble(path string, from, n int) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for i := min(from, len(content)); i < len(content) && i-from < n; i++ {
		content[i] ^= byte(i*7 + 13)
	}
	return os.WriteFile(path, content, 0o600)
}

func TestForeignFilesAreMovedAway(t *testing.T) {
	b := newBench(t)
	require.NoError(t, b.Close())
	require.NoError(t, os.WriteFile(filepath.Join(b.dir, "MANIFEST"), []byte("of an older version"), 0o600))
	b.open()
	require.Len(t, b.quarantined, 1)
	require.Empty(t, b.slices())
}

func TestSpaceIsLeftToOthers(t *testing.T) {
	b := newBench(t)
	b.opts.MinFree = math.MaxInt64
	b.reopen()
	require.ErrorIs(t, b.Put(at(0, 1), value(1)), ErrNoSpace)
	b.opts.MinFree = 0
	b.reopen()
	require.NoError(t, b.Put(at(0, 1), value(1)))
}

// A disk that is full of records in the slice that still took some becomes free when they are released.
func TestAFullDiskEndsTheLastSlice(t *testing.T) {
	b := newBench(t)
	first, second := at(0, 1), at(1, 2)
	require.NoError(t, b.Put(first, value(1)))
	require.NoError(t, b.Put(second, value(2)))
	b.Store.opts.MinFree = math.MaxInt64
	require.ErrorIs(t, b.Put(at(2, 3), value(3)), ErrNoSpace)
	require.Equal(t, value(1), b.get(first), "records that wait stay")
	b.Release(first)
	require.Len(t, b.slices(), 1)
	b.Release(second)
	require.Empty(t, b.slices())
	b.Store.opts.MinFree = 0
	require.NoError(t, b.Put(at(3, 4), value(4)))
}

func TestLock(t *testing.T) {
	dir := t.TempDir()
	lock, err := Lock(dir)
	require.NoError(t, err)
	_, err = Lock(dir)
	require.ErrorIs(t, err, ErrLocked)
	require.NoError(t, lock.Close())
	again, err := Lock(dir)
	require.NoError(t, err)
	require.NoError(t, again.Close())
}

func TestMemory(t *testing.T) {
	m := NewMemory()
	v := value(1)
	require.NoError(t, m.Put(at(0, 1), v))
	v[0] = 'x' // it keeps a copy
	require.NoError(t, m.Get(at(0, 1), func(got []byte) error { require.Equal(t, value(1), got); return nil }))
	require.EqualValues(t, len(v), m.Size())
	m.Release(at(0, 1))
	require.Zero(t, m.Size())
	require.Error(t, m.Get(at(0, 1), nil))
	require.NoError(t, m.Close())
}
