package slicestore

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestKey(t *testing.T) {
	key := Key{Arrival: 1_700_000_000_000_000_000, Seq: 3}
	got, err := ParseKey(key.Append(nil))
	require.NoError(t, err)
	require.Equal(t, key, got)
	_, err = ParseKey([]byte{1})
	require.ErrorContains(t, err, "1 bytes")
	require.Less(t, string(Key{1, 9}.Append(nil)), string(Key{2, 1}.Append(nil)))
	require.Less(t, string(Key{2, 255}.Append(nil)), string(Key{2, 256}.Append(nil)))
	got, err = parseName(key.String())
	require.NoError(t, err)
	require.Equal(t, key, got)
	_, err = parseName("no key")
	require.ErrorContains(t, err, "no key")
	require.Equal(t, []int{-1, 0, 1}, []int{Key{1, 2}.Compare(Key{1, 3}), key.Compare(got), Key{2, 1}.Compare(Key{1, 3})})
}
