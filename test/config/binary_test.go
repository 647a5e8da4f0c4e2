package config

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const defaultBinary = "../../bin/otelcol-seqlink"

// binary returns the path of the collector, which SEQLINK_BIN may name.
func binary(t *testing.T) string {
	t.Helper()
	path := os.Getenv("SEQLINK_BIN")
	if path == "" {
		path = defaultBinary
	}
	path, err := filepath.Abs(path)
	require.NoError(t, err)
	_, err = os.Stat(path)
	require.NoError(t, err, "no collector to test: run `make build` first, or set SEQLINK_BIN to its path")
	return path
}

// run runs the collector with further environment variables and returns what it
// wrote and whether it ended well.
func run(t *testing.T, env []string, arguments ...string) (output string, ok bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, binary(t), arguments...)
	command.Env = append(os.Environ(), env...)
	text, err := command.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil {
		require.ErrorAs(t, err, &exit)
	}
	return string(text), err == nil
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
