package goexe

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCacheLoad(t *testing.T) {
	cache, err := NewCache(2)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "script")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755))

	_, err = cache.Load(path)
	require.ErrorIs(t, err, ErrNotGo)
	_, again := cache.Load(path)
	assert.Same(t, err, again, "the second answer comes from the cache")

	require.NoError(t, os.Chtimes(path, time.Time{}, time.Unix(1, 0)))
	_, changed := cache.Load(path)
	assert.NotSame(t, err, changed, "a changed file is read anew")
}

func TestCacheIsBounded(t *testing.T) {
	cache, err := NewCache(2)
	require.NoError(t, err)
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "c"} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(name), 0o755))
		_, _ = cache.Load(path)
	}
	assert.Equal(t, 2, cache.files.Len())
}

func TestCacheLoadErrors(t *testing.T) {
	_, err := NewCache(0)
	require.Error(t, err)

	cache, err := NewCache(1)
	require.NoError(t, err)
	_, err = cache.Load(filepath.Join(t.TempDir(), "gone"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = cache.Load(t.TempDir())
	require.ErrorContains(t, err, "not a regular file")
	assert.Zero(t, cache.files.Len())
}
