package collector

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMemoryOfThisProcess(t *testing.T) {
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	m, err := parseMemory(string(status))
	require.NoError(t, err)
	assert.Positive(t, m.Anonymous)
	assert.Positive(t, m.File)
	assert.GreaterOrEqual(t, m.Peak, m.All)
	assert.InDelta(t, m.All, m.Anonymous+m.File, 1)
	_, err = parseMemory("VmRSS:\t 12 kB\n")
	assert.Error(t, err)
}

func TestDiskBytes(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "below"), 0o700))
	empty := DiskBytes(dir)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "below", "file"), make([]byte, 1<<20), 0o600))
	assert.InDelta(t, 1<<20, DiskBytes(dir)-empty, 1<<14)
	// A hole takes no space.
	require.NoError(t, os.Truncate(filepath.Join(dir, "below", "file"), 1<<30))
	assert.InDelta(t, 1<<20, DiskBytes(dir)-empty, 1<<14)
}
