package run

import (
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestChainServes(t *testing.T) {
	examples, err := BuildExamples(t.Context(), "..", t.TempDir())
	require.NoError(t, err)
	var hops []Hop
	for tool, hop := range map[string]Hop{"python3": examples.Python(), "node": examples.Node()} {
		if _, err := FindTool(tool); err == nil {
			hops = append(hops, hop)
		}
	}
	chain, err := StartChain(t.Context(), t.TempDir(), "SEQLINK_RUN_TEST", append([]Hop{examples.Go()}, hops...)...)
	require.NoError(t, err)
	client := NewClient(4)
	defer client.Close()
	outcome := client.Send(t.Context(), Load{URL: chain.URL, Rate: 100, InFlight: 4, Requests: 21, First: 1000})
	assert.Empty(t, outcome.Errors)
	assert.Len(t, outcome.IDs, 21)
	closing := NewClosingClient()
	defer closing.Close()
	outcome = closing.Send(t.Context(), Load{URL: chain.URL, InFlight: 4, Requests: 21, First: 2000})
	assert.Empty(t, outcome.Errors)
	slices.Sort(outcome.IDs)
	assert.Len(t, slices.Compact(outcome.IDs), 21, "without a rate each id is asked for once as well")
	assert.NoError(t, chain.Ended())
	pids := chain.PIDs()
	require.NoError(t, chain.Stop())
	for _, pid := range pids {
		assert.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH, "process %d is left", pid)
	}
}

func TestCommandStopReportsAnEarlyEnd(t *testing.T) {
	process, err := Command{Name: "early", Path: "/bin/sh", Args: []string{"-c", "echo gone; exit 3"}, Dir: t.TempDir()}.Start()
	require.NoError(t, err)
	<-process.Ended()
	err = process.Stop()
	require.ErrorContains(t, err, "early ended early (exit status 3)")
	require.ErrorContains(t, err, "gone")
}

func TestCommandStartErrors(t *testing.T) {
	_, err := Command{Name: "none", Path: "/does/not/exist", Dir: t.TempDir()}.Start()
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = FindTool("seqlink-no-such-tool")
	require.ErrorContains(t, err, "install it")
}

func TestSpansAwait(t *testing.T) {
	var spans Spans
	require.NoError(t, spans.Await(t.Context(), 0, time.Second))
	require.ErrorContains(t, spans.Await(t.Context(), 1, time.Millisecond), "0 of 1 spans came")
}
