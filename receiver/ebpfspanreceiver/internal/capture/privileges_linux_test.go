package capture

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func set(numbers ...int) (bits uint64) {
	for _, n := range numbers {
		bits |= 1 << n
	}
	return bits
}

func TestMissingPrivileges(t *testing.T) {
	needed := set(unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH)
	for name, c := range map[string]struct {
		effective uint64
		missing   []string
	}{
		"exactly what is needed":   {needed, nil},
		"root":                     {^uint64(0), nil},
		"SYS_ADMIN for the first":  {set(unix.CAP_SYS_ADMIN, unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH), nil},
		"DAC_OVERRIDE for reading": {set(unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_SYS_PTRACE, unix.CAP_DAC_OVERRIDE), nil},
		"no BPF":                   {needed &^ set(unix.CAP_BPF), []string{"CAP_BPF"}},
		"no PERFMON":               {needed &^ set(unix.CAP_PERFMON), []string{"CAP_PERFMON"}},
		"no SYS_PTRACE":            {needed &^ set(unix.CAP_SYS_PTRACE), []string{"CAP_SYS_PTRACE"}},
		"no DAC_READ_SEARCH":       {needed &^ set(unix.CAP_DAC_READ_SEARCH), []string{"CAP_DAC_READ_SEARCH"}},
		"none at all":              {0, []string{"CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := missingPrivileges(c.effective)
			if c.missing == nil {
				require.Nil(t, err)
				return
			}
			require.NotNil(t, err)
			for _, p := range privileges {
				if !slices.Contains(c.missing, p.name) {
					assert.NotContains(t, err.Error(), p.name)
					continue
				}
				assert.Contains(t, err.What, p.name)
				assert.Contains(t, err.Cure, p.reason)
			}
			assert.Contains(t, err.Cure, "AmbientCapabilities="+c.missing[0])
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}
