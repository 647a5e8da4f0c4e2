// Package idtable is a hash table from 64-bit ids to small references, for tens of
// millions of entries that come and go.
package idtable

import (
	"hash/maphash"
	"math/bits"

	"github.com/seqlink/seqlink/processor/seqlinkprocessor/internal/arena"
)

// Entry is what the table holds under an id. Several entries may have the same id.
type Entry struct {
	ID uint64
	// Tag tells entries of one id apart.
	Tag uint32
	// Ref is the user's reference; 0 is no entry.
	Ref uint32
}

const (
	shardBits = 3
	minLen    = 16
	// entryBytes is the size of an Entry.
	entryBytes = 16
	// maxLoad and growTo, in eighths: a shard that is filled to maxLoad is rebuilt,
	// without what became stale, so that growTo of it is in use.
	maxLoad = 7
	growTo  = 4
	// MaxSame bounds the entries under one id. Without it, one id that everybody uses
	// would make every lookup as slow as a scan.
	MaxSame = 16
)

// Table is an open-addressing hash table with linear probing. Entries are not
// deleted one by one where the user knows no better: those that became stale are
// left out when a shard is rebuilt. It is not safe for concurrent use.
type Table struct {
	seed   maphash.Seed
	stale  func(Entry) bool
	shards [1 << shardBits]shard
	slots  int
}

// shard is one part of the table. Shards are rebuilt one at a time, so that no
// single insertion takes long.
type shard struct {
	block arena.Block[Entry]
	// used counts the slots that are not empty, those of stale entries included.
	used int
}

// New returns an empty table. stale tells of an entry that nobody needs any more;
// such an entry may still be found.
func New(stale func(Entry) bool) *Table {
	return &Table{seed: maphash.MakeSeed(), stale: stale}
}

// place returns id's shard and its home there. The hash is seeded, so that nobody
// can choose ids that collide.
func (t *Table) place(id uint64) (*shard, int) {
	h := maphash.Comparable(t.seed, id)
	s := &t.shards[h>>(64-shardBits)]
	return s, s.home(h)
}

// home maps the hash below the shard's bits to a slot.
func (s *shard) home(h uint64) int {
	hi, _ := bits.Mul64(h<<shardBits, uint64(len(s.block.Values)))
	return int(hi)
}

// All calls yield with the entries under id, the oldest first, until it returns
// false.
func (t *Table) All(id uint64, yield func(Entry) bool) {
	s, at := t.place(id)
	for n := len(s.block.Values); n > 0; {
		e := s.block.Values[at]
		if e.Ref == 0 || e.ID == id && !yield(e) {
			return
		}
		if at++; at == n {
			at = 0
		}
	}
}

// Touch reads the slot of an id and returns something of it. A loop of such reads
// brings many slots into the processor's cache at the same time, where lookups one
// after the other would wait for each.
func (t *Table) Touch(id uint64) uint32 {
	s, at := t.place(id)
	if len(s.block.Values) == 0 {
		return 0
	}
	return s.block.Values[at].Tag
}

// Insert adds an entry, unless MaxSame of that id are there: then it returns false.
func (t *Table) Insert(e Entry) bool {
	s, at := t.place(e.ID)
	if s.used >= len(s.block.Values)*maxLoad/8 {
		t.rebuild(s)
		_, at = t.place(e.ID)
	}
	same := 0
	for s.block.Values[at].Ref != 0 {
		if s.block.Values[at].ID == e.ID {
			if same++; same >= MaxSame {
				return false
			}
		}
		at = s.next(at)
	}
	s.block.Values[at] = e
	s.used++
	return true
}

func (s *shard) next(at int) int {
	if at++; at == len(s.block.Values) {
		return 0
	}
	return at
}

// Delete removes the entry under id with reference ref.
func (t *Table) Delete(id uint64, ref uint32) {
	if s, at, ok := t.find(id, ref); ok {
		t.remove(s, at)
	}
}

func (t *Table) find(id uint64, ref uint32) (*shard, int, bool) {
	s, at := t.place(id)
	for n := len(s.block.Values); n > 0 && s.block.Values[at].Ref != 0; at = s.next(at) {
		if e := s.block.Values[at]; e.ID == id && e.Ref == ref {
			return s, at, true
		}
	}
	return nil, 0, false
}

// remove empties a slot and moves back what was displaced by it, in order, so that
// no gap cuts a chain of probes (Knuth, TAOCP 3, 6.4, algorithm R).
func (t *Table) remove(s *shard, hole int) {
	n := len(s.block.Values)
	for at := s.next(hole); s.block.Values[at].Ref != 0; at = s.next(at) {
		_, home := t.place(s.block.Values[at].ID)
		if distance(home, at, n) >= distance(hole, at, n) {
			s.block.Values[hole] = s.block.Values[at]
			hole = at
		}
	}
	s.block.Values[hole] = Entry{}
	s.used--
}

// distance counts the steps from one slot to another, round the end.
func distance(from, to, n int) int {
	if to < from {
		return to - from + n
	}
	return to - from
}

// rebuild moves what is not stale into a block of fitting size. It begins behind an
// empty slot, so that entries of one id keep their order.
func (t *Table) rebuild(s *shard) {
	old := s.block
	first := firstGap(old.Values)
	live := t.dropStale(old.Values)
	*s = shard{block: arena.NewBlock[Entry](max(minLen, live*8/growTo))}
	t.slots += len(s.block.Values) - len(old.Values)
	for i := range old.Values {
		at := first + i
		if at >= len(old.Values) {
			at -= len(old.Values)
		}
		if e := old.Values[at]; e.Ref != 0 {
			t.reinsert(e)
		}
	}
	old.Release()
}

func firstGap(values []Entry) int {
	for i := range values {
		if values[i].Ref == 0 {
			return i
		}
	}
	return 0
}

// dropStale empties the slots of stale entries and counts the others.
func (t *Table) dropStale(values []Entry) (live int) {
	for i := range values {
		switch {
		case values[i].Ref == 0:
		case t.stale(values[i]):
			values[i].Ref = 0
		default:
			live++
		}
	}
	return live
}

func (t *Table) reinsert(e Entry) {
	s, at := t.place(e.ID)
	for s.block.Values[at].Ref != 0 {
		at = s.next(at)
	}
	s.block.Values[at] = e
	s.used++
}

// Len counts the entries, those that are stale and were not left out yet included.
func (t *Table) Len() int {
	n := 0
	for i := range t.shards {
		n += t.shards[i].used
	}
	return n
}

// Clean leaves out what is stale, and with it the memory that it took.
func (t *Table) Clean() {
	for i := range t.shards {
		if len(t.shards[i].block.Values) > 0 {
			t.rebuild(&t.shards[i])
		}
	}
}

// Bytes returns the size of the table's memory.
func (t *Table) Bytes() int { return t.slots * entryBytes }

// Release gives all memory back. The table must not be used afterwards.
func (t *Table) Release() {
	for i := range t.shards {
		t.shards[i].block.Release()
	}
	t.slots = 0
}
