package idtable

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func all(t *Table, id uint64) (found []Entry) {
	t.All(id, func(e Entry) bool {
		found = append(found, e)
		return true
	})
	return found
}

// reference is the table as simple as it can be put.
type reference map[uint64][]Entry

// TestTableAgainstReference does the same at random to a table and to a map.
func TestTableAgainstReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	stale := map[uint32]bool{}
	table := New(func(e Entry) bool { return stale[e.Ref] })
	defer table.Release()
	want := reference{}
	for step := uint32(1); step <= 200_000; step++ {
		id := rng.Uint64N(20_000)
		switch rng.IntN(8) {
		case 0:
			if es := want[id]; len(es) > 0 {
				e := es[rng.IntN(len(es))]
				table.Delete(id, e.Ref)
				want[id] = slices.DeleteFunc(es, func(x Entry) bool { return x == e })
			}
		default:
			e := Entry{ID: id, Tag: rng.Uint32(), Ref: step}
			require.Equal(t, len(want[id]) < MaxSame, table.Insert(e))
			if len(want[id]) < MaxSame {
				want[id] = append(want[id], e)
			}
		}
		if step%10_000 == 0 {
			requireSame(t, want, table)
		}
	}
}

func requireSame(t *testing.T, want reference, table *Table) {
	t.Helper()
	n := 0
	for id, es := range want {
		n += len(es)
		require.Equal(t, append([]Entry(nil), es...), append([]Entry(nil), all(table, id)...), "id %d", id)
	}
	require.Equal(t, n, table.Len())
}

// The oldest of several entries under one id comes first, also after the table has grown.
func TestOldestFirst(t *testing.T) {
	table := New(func(Entry) bool { return false })
	defer table.Release()
	for n := uint32(1); n <= 3; n++ {
		for id := range uint64(5000) {
			require.True(t, table.Insert(Entry{ID: id, Ref: n}))
		}
	}
	for id := range uint64(5000) {
		require.Equal(t, []Entry{{id, 0, 1}, {id, 0, 2}, {id, 0, 3}}, all(table, id))
	}
}

func TestStaleEntriesGiveTheirMemoryBack(t *testing.T) {
	oldest := uint32(0)
	table := New(func(e Entry) bool { return e.Ref < oldest })
	defer table.Release()
	const live, total = 20_000, 1_000_000
	for n := uint32(1); n <= total; n++ {
		table.Insert(Entry{ID: uint64(n), Ref: n})
		oldest = max(n, live) - live
	}
	require.Less(t, table.Bytes(), 3*live*entryBytes)
	oldest = total + 1
	table.Clean()
	require.Zero(t, table.Len())
	require.Equal(t, minLen<<shardBits*entryBytes, table.Bytes())
}

func TestEmptyTable(t *testing.T) {
	table := New(func(Entry) bool { return false })
	require.Empty(t, all(table, 1))
	table.Delete(1, 1)
	table.Clean()
	require.Zero(t, table.Bytes())
}

func BenchmarkInsertAndFind(b *testing.B) {
	table := New(func(Entry) bool { return false })
	defer table.Release()
	n := uint32(0)
	for b.Loop() {
		n++
		table.Insert(Entry{ID: uint64(n) * 0x9e3779b97f4a7c15, Ref: n})
		table.All(uint64(n/2)*0x9e3779b97f4a7c15, func(Entry) bool { return false })
	}
}
