package capture

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/bpf"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// Where a Go program keeps its goroutines is not where the program keeps anything that it
// becomes.
func TestExecForgetsTheGoRuntime(t *testing.T) {
	cmd := exec.Command("sh", "-c", "read go; exec cat")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var losses loss.Counts
	k := newKernel(t, &losses)
	pid := uint32(cmd.Process.Pid)
	require.NoError(t, k.Trace(pid, &GoRuntime{GOffset: -8, GoidOffset: 152}))
	flags := func() uint32 {
		var p bpf.TCPProcess
		require.NoError(t, k.programs.processes.Lookup(pid, &p))
		return p.Flags
	}
	assert.EqualValues(t, processTraced|processGo, flags())
	events := collect(t, k, pid, func() {
		_, err := io.WriteString(in, "\n")
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
			return err == nil && string(comm) == "cat\n"
		}, 20*time.Second, time.Millisecond)
	})
	assert.Len(t, ofKind(events, Exec), 1)
	assert.EqualValues(t, processTraced, flags())
	require.NoError(t, in.Close())
	require.NoError(t, cmd.Wait())
}
