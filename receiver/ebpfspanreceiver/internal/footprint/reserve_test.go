package footprint

import (
	"os"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// unsetenv unsets an environment variable for a test.
func unsetenv(t *testing.T, key string) {
	t.Helper()
	t.Setenv(key, "") // so that it is restored
	require.NoError(t, os.Unsetenv(key))
}

// A reserve defers the next collection by its size as long as it is referenced.
func TestReserveDefersCollections(t *testing.T) {
	unsetenv(t, "GOGC")
	threshold := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.NextGC
	}
	before := threshold()
	reserve := NewReserve()
	with := threshold()
	runtime.KeepAlive(reserve)
	require.Len(t, reserve, reserveSize)
	assert.Greater(t, with, before+reserveSize)
	assert.Less(t, threshold(), before+reserveSize)
}

func TestNoReserveWhereMemoryIsChosen(t *testing.T) {
	t.Run("GOGC", func(t *testing.T) {
		t.Setenv("GOGC", "100")
		assert.Empty(t, NewReserve())
	})
	t.Run("GOMEMLIMIT", func(t *testing.T) {
		unsetenv(t, "GOGC")
		limit := debug.SetMemoryLimit(minMemoryLimit - 1)
		t.Cleanup(func() { debug.SetMemoryLimit(limit) })
		assert.Empty(t, NewReserve())
		debug.SetMemoryLimit(minMemoryLimit)
		assert.NotEmpty(t, NewReserve())
	})
}
