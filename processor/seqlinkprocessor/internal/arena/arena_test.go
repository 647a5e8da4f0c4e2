package arena

import (
	"testing"

	"github.com/stretchr/testify/require"
)

type value struct {
	a uint64
	_ [3]byte
}

func TestArena(t *testing.T) {
	a := New[value]()
	defer a.Release()
	seen := map[Handle]bool{}
	for i := range uint64(3 * chunkLen) {
		h, v := a.Alloc()
		require.NotZero(t, h)
		require.False(t, seen[h])
		seen[h] = true
		require.Zero(t, *v)
		v.a = i
	}
	require.Equal(t, 3*chunkLen, a.Len())
	require.Equal(t, 3*chunkLen*16, a.Bytes())
	a.At(7).a = 99
	a.Free(7)
	h, v := a.Alloc()
	require.EqualValues(t, 7, h, "what was freed is used again")
	require.Zero(t, *v)
	require.EqualValues(t, 8, a.At(9).a, "the others stay")
}

func TestTypesWithPointersAreRefused(t *testing.T) {
	require.Panics(t, func() { New[*int]() })
	require.Panics(t, func() { New[struct{ s string }]() })
	require.Panics(t, func() { New[[2][]byte]() })
	require.Panics(t, func() { NewBlock[struct{ f func() }](1) })
	require.NotPanics(t, func() { New[struct{ a [4]struct{ b int8 } }]() })
}

func TestBlock(t *testing.T) {
	b := NewBlock[value](1000)
	require.Len(t, b.Values, 1000)
	require.Zero(t, b.Values[999])
	b.Values[999].a = 1
	b.Release()
	require.Empty(t, b.Values)
	empty := NewBlock[value](0)
	empty.Release()
}
