package slicestore

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever a kill leaves of files that were being made, no record is lost: what they
// were to hold is in the write-ahead log still.
func TestFilesThatAKillCutShort(t *testing.T) {
	for name, leave := range map[string]func(slice string) error{
		"table without a byte": func(slice string) error { return os.WriteFile(filepath.Join(slice, "000001.sst"), nil, 0o600) },
		"table of zeros": func(slice string) error {
			return os.WriteFile(filepath.Join(slice, "000001.sst"), make([]byte, 1<<16), 0o600)
		},
		"log without a byte": func(slice string) error { return os.WriteFile(filepath.Join(slice, "00009.mem"), nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			keys := b.fill(5)
			killed := filepath.Join(t.TempDir(), "waiting")
			require.NoError(t, os.CopyFS(killed, os.DirFS(b.dir))) // as a kill would leave it
			slices, err := os.ReadDir(killed)
			require.NoError(t, err)
			require.Len(t, slices, 1)
			require.NoError(t, leave(filepath.Join(killed, slices[0].Name())))
			require.NoError(t, b.Close())

			b.dir = killed
			b.open()
			got, corrupt := b.all()
			require.Equal(t, keys, got)
			require.Empty(t, corrupt)
			require.Empty(t, b.quarantined)
		})
	}
}
