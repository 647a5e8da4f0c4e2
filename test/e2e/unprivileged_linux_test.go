package e2e

import (
	"cmp"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/seqlink/seqlink/examples/run"
)

// The collector needs no more than the capabilities that docs/operations.md lists.
func TestUnprivileged(t *testing.T) {
	r := newRig(t)
	mountTracefs(t)
	r.startChain(r.fourServices()...)
	// What a test's own temporary folder holds is not for nobody's eyes.
	dir, err := os.MkdirTemp("", "seqlink-unprivileged-")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	binary := filepath.Join(dir, "otelcol-seqlink")
	copyFile(t, cmp.Or(os.Getenv("SEQLINK_BIN"), filepath.Join("..", "..", "bin", "otelcol-seqlink")), binary)
	r.startCollectorAs(run.CollectorConfig{Binary: binary, Dir: dir, Unprivileged: true}, nil)
	r.check(r.send(seconds()))
}

// mountTracefs does what the host does before an unprivileged collector starts.
func mountTracefs(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/sys/kernel/tracing/events"); err == nil {
		return
	}
	require.NoError(t, unix.Mount("nodev", "/sys/kernel/tracing", "tracefs", 0, ""))
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	source, err := os.Open(from)
	require.NoError(t, err, "run make build")
	defer source.Close()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	require.NoError(t, err)
	_, err = io.Copy(target, source)
	require.NoError(t, err)
	require.NoError(t, target.Close())
}
