package goexe

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// build says how one of the test's programs is made.
type build struct {
	source string
	flags  []string
	cgo    bool
	strip  bool
}

// program builds a program and returns its path, and that of the same program
// with its symbols and DWARF, which differs where the build strips them.
func (b build) program(t *testing.T) (path, whole string) {
	t.Helper()
	if b.cgo {
		requireTool(t, "gcc")
	}
	whole = filepath.Join(t.TempDir(), "program")
	args := append([]string{"build", "-o", whole}, b.flags...)
	command := exec.Command("go", append(args, "./"+filepath.Join("testdata", b.source))...)
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b.cgo {
		command.Env = append(os.Environ(), "CGO_ENABLED=1")
	}
	output, err := command.CombinedOutput()
	require.NoError(t, err, string(output))
	if !b.strip {
		return whole, whole
	}
	requireTool(t, "strip")
	path = whole + "-stripped"
	output, err = exec.Command("strip", "-o", path, whole).CombinedOutput()
	require.NoError(t, err, string(output))
	return path, whole
}

func requireTool(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed", name)
	}
}

// symbolAddress asks the toolchain where a function lies; empty where there is none.
func symbolAddress(t *testing.T, path, name string) string {
	t.Helper()
	output, err := exec.Command("go", "tool", "nm", path).Output()
	require.NoError(t, err)
	for line := range strings.Lines(string(output)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[2] == name {
			return fields[0]
		}
	}
	return ""
}
