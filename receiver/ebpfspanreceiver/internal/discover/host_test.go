package discover

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHost(t *testing.T) {
	proc := newFakeProc(t)
	etc := filepath.Join(proc.Path(1, "root"), "etc")
	dbus := filepath.Join(proc.Path(1, "root"), "var", "lib", "dbus")
	require.NoError(t, os.MkdirAll(etc, 0o755))
	require.NoError(t, os.MkdirAll(dbus, 0o755))
	const first, second = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
	require.NoError(t, os.WriteFile(filepath.Join(dbus, "machine-id"), []byte(second+"\n"), 0o644))

	host, err := proc.ReadHost()
	require.NoError(t, err)
	name, err := os.Hostname()
	require.NoError(t, err)
	assert.Equal(t, Host{Name: name, ID: second}, host)

	for text, want := range map[string]string{"uninitialized\n": second, "": second, "short": second, first: first, first + "\n": first} {
		require.NoError(t, os.WriteFile(filepath.Join(etc, "machine-id"), []byte(text), 0o644))
		assert.Equal(t, want, proc.machineID(), text)
	}
}
