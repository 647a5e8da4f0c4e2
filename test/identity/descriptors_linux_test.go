package identity

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// scenario runs one of the programs in testdata/descriptors.py and traces it. Each is a
// client and a server, in processes of their own.
func scenario(t *testing.T, in *namespace, name string, requests int) {
	t.Helper()
	needRoot(t)
	python, err := exec.LookPath("python3")
	require.NoError(t, err, "install python3")
	script, err := filepath.Abs(filepath.Join("testdata", "descriptors.py"))
	require.NoError(t, err)
	mark := marker()
	const first = 1000
	p := start(t, in, []string{mark + "=1"}, python, script, name, strconv.Itoa(first), strconv.Itoa(requests))
	require.Equal(t, "ready", p.answer())
	a := startAgent(t, agentOptions{Env: mark})
	require.Equal(t, "done", p.ask("go"))
	checkAll(t, a, first, requests)
}

// A socket is the same in whoever's hands.
func TestDescriptors(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"duplicates", "passed", "forked", "half_closed"} {
		t.Run(name, func(t *testing.T) { scenario(t, nil, name, 50) })
	}
	t.Run("executed", func(t *testing.T) { scenario(t, nil, "executed", 3) })
}
