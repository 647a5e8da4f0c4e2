package e2e

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/seqlink/seqlink/examples/run"
)

// capabilities are all that the collector needs; docs/operations.md gives the reasons.
var capabilities = map[string]int{
	"CAP_BPF": unix.CAP_BPF, "CAP_PERFMON": unix.CAP_PERFMON,
	"CAP_SYS_PTRACE": unix.CAP_SYS_PTRACE, "CAP_DAC_READ_SEARCH": unix.CAP_DAC_READ_SEARCH,
}

// confined is the configuration of a collector that has all capabilities of those but one.
func confined(t *testing.T, without string) run.CollectorConfig {
	t.Helper()
	// What a test's own temporary folder holds is not for nobody's eyes.
	dir, err := os.MkdirTemp("", "seqlink-unprivileged-")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	binary := filepath.Join(dir, "otelcol-seqlink")
	copyFile(t, cmp.Or(os.Getenv("SEQLINK_BIN"), filepath.Join("..", "..", "bin", "otelcol-seqlink")), binary)
	var numbers []string
	for name, number := range capabilities {
		if name != without {
			numbers = append(numbers, strconv.Itoa(number))
		}
	}
	t.Setenv(confineVariable, strings.Join(numbers, ","))
	self, err := os.Executable()
	require.NoError(t, err)
	return run.CollectorConfig{Binary: binary, Dir: dir, Wrapper: self}
}

// The collector needs no more than the capabilities that docs/operations.md lists:
// as nobody, with no way to more, on read-only file systems and without tracefs.
func TestUnprivileged(t *testing.T) {
	r := newRig(t)
	r.startChain(r.fourServices()...)
	r.startCollectorAs(confined(t, ""), nil)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.collector.PID()))
	require.NoError(t, err)
	var set uint64
	for _, number := range capabilities {
		set |= 1 << number
	}
	for _, want := range []string{
		fmt.Sprintf("CapEff:\t%016x\n", set), fmt.Sprintf("CapBnd:\t%016x\n", set),
		"NoNewPrivs:\t1\n", fmt.Sprintf("Uid:\t%d\t%[1]d\t%[1]d\t%[1]d\n", nobody),
	} {
		assert.Contains(t, string(status), want)
	}
	r.check(r.send(seconds()))
}

// Without one of them the start is refused, and the refusal names that one and its cure.
func TestMissingCapability(t *testing.T) {
	for name := range capabilities {
		t.Run(name, func(t *testing.T) {
			config := confined(t, name)
			config.Receiver = map[string]any{"processes": map[string]any{"env": []string{"SEQLINK_NOBODY_HAS_THIS"}}}
			config.Exporters, config.Window = map[string]any{"debug": nil}, window
			collector, err := run.StartCollector(t.Context(), config)
			if err == nil {
				require.NoError(t, collector.Stop())
			}
			require.ErrorContains(t, err, "missing the privilege "+name+": ")
			require.ErrorContains(t, err, "AmbientCapabilities="+name)
			require.ErrorContains(t, err, "--cap-add="+strings.TrimPrefix(name, "CAP_"))
			for other := range capabilities {
				if other != name {
					assert.NotContains(t, err.Error(), "the privilege "+other)
				}
			}
		})
	}
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
