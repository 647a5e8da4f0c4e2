package memo

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMemo(t *testing.T) {
	var made []string
	m := New(func(key string) string {
		made = append(made, key)
		return strings.ToUpper(key)
	})
	require.Equal(t, "GET", m.Of([]byte("get")))
	require.Equal(t, "GET", m.Of([]byte("get")))
	require.Equal(t, []string{"get"}, made, "made once")

	require.Empty(t, m.Of(nil), "the empty string makes nothing")
	require.Equal(t, []string{"get"}, made)

	// More strings than places: some are made again, none is taken for another.
	for range 2 {
		for i := range 4 * slots {
			require.Equal(t, fmt.Sprint("K", i), m.Of(fmt.Append(nil, "k", i)))
		}
	}
}

func TestMemoKeepsNoLongStrings(t *testing.T) {
	var made int
	m := New(func(key string) int {
		made++
		return len(key)
	})
	long := strings.Repeat("x", longest+1)
	require.Equal(t, len(long), m.Of([]byte(long)))
	require.Equal(t, len(long), m.OfString(long))
	require.Equal(t, 2, made)
}

// What is kept must not change with the bytes it was made of: they are reused.
func TestMemoCopiesItsKeys(t *testing.T) {
	m := New(func(key string) string { return key })
	b := []byte("/a")
	require.Equal(t, "/a", m.Of(b))
	copy(b, "/b")
	require.Equal(t, "/b", m.Of(b))
	require.Equal(t, "/a", m.Of([]byte("/a")))
}

func TestStringsAndBytesAreTheSameKeys(t *testing.T) {
	var made int
	m := New(func(key string) string {
		made++
		return key + "!"
	})
	require.Equal(t, "/a!", m.OfString("/a"))
	require.Equal(t, "/a!", m.Of([]byte("/a")))
	require.Equal(t, 1, made)
	require.Empty(t, m.OfString(""))
}
