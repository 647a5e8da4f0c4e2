package http1

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMemo(t *testing.T) {
	var made []string
	m := newMemo(func(key string) string {
		made = append(made, key)
		return strings.ToUpper(key)
	})
	require.Equal(t, "GET", m.of([]byte("get")))
	require.Equal(t, "GET", m.of([]byte("get")))
	require.Equal(t, []string{"get"}, made, "made once")

	require.Empty(t, m.of(nil), "the empty string makes nothing")
	require.Equal(t, []string{"get"}, made)

	// More strings than places: some are made again, none is taken for another.
	for range 2 {
		for i := range 4 * memoSlots {
			require.Equal(t, fmt.Sprint("K", i), m.of(fmt.Append(nil, "k", i)))
		}
	}
}

func TestMemoKeepsNoLongStrings(t *testing.T) {
	var made int
	m := newMemo(func(key string) int {
		made++
		return len(key)
	})
	long := []byte(strings.Repeat("x", memoKey+1))
	require.Equal(t, len(long), m.of(long))
	require.Equal(t, len(long), m.of(long))
	require.Equal(t, 2, made)
}

// What is kept must not change with the bytes it was made of: they are reused.
func TestMemoCopiesItsKeys(t *testing.T) {
	m := newMemo(func(key string) string { return key })
	b := []byte("/a")
	require.Equal(t, "/a", m.of(b))
	copy(b, "/b")
	require.Equal(t, "/b", m.of(b))
	require.Equal(t, "/a", m.of([]byte("/a")))
}
