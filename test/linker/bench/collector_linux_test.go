package main

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
	assert.Positive(t, m.anonymous)
	assert.Positive(t, m.file)
	assert.GreaterOrEqual(t, m.peak, m.all)
	assert.InDelta(t, m.all, m.anonymous+m.file, 1)
	_, err = parseMemory("VmRSS:\t 12 kB\n")
	assert.Error(t, err)
}

func TestDiskBytes(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "below"), 0o700))
	empty := diskBytes(dir)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "below", "file"), make([]byte, 1<<20), 0o600))
	assert.InDelta(t, 1<<20, diskBytes(dir)-empty, 1<<14)
	// A hole takes no space.
	require.NoError(t, os.Truncate(filepath.Join(dir, "below", "file"), 1<<30))
	assert.InDelta(t, 1<<20, diskBytes(dir)-empty, 1<<14)
}
