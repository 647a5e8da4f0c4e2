package main

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// exactMethods are the workloads with exact evidence, and what may link their calls.
var exactMethods = map[string][]string{
	"go-chain":        {"goroutine"},
	"go-fanout":       {"goroutine"},
	"go-nplus1":       {"goroutine"},
	"go-hedged":       {"goroutine"},
	"go-streaming":    {"goroutine"},
	"python-threads":  {"thread", "connect"},
	"python-sequence": {"thread", "connect"},
	"nginx":           {"loop", "thread", "connect"},
	renamed:           {"loop", "thread", "connect"},
	"node-chain":      {"loop", "thread", "connect"},
	"node-sequence":   {"loop", "thread", "connect"},
}

// recordings takes those of all runs.
var recordings string

func TestMain(m *testing.M) {
	var err error
	if recordings, err = os.MkdirTemp("", "seqlink-accuracy-"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(recordings)
	os.Exit(code)
}

// short is how many requests are scored of a run. What hand-offs are told from locks by is learned from
// more in a program with many of both.
const short, longer = 300, 1200

// testOptions are those of runs that are short.
func testOptions() *options {
	return &options{
		binary:   cmp.Or(os.Getenv("SEQLINK_BIN"), filepath.Join("..", "..", "bin", "otelcol-seqlink")),
		programs: "programs", workloads: workloads, inFlight: []int{16}, reuse: []bool{true, false},
		requests: short, parallel: 3, window: 2 * time.Second, record: recordings,
	}
}

// measured are the cells that the tests look at, run once for all of them.
var measured = sync.OnceValues(func() ([]*cell, error) {
	o := testOptions()
	o.workloads = append(slices.Clone(workloads), workload{name: renamed, steps: []step{{program: renamed}}, connections: kept})
	names := "go-workers|java-handoff|java-async|python-pool|ruby-puma|(node|go|asyncio)-after-response|haproxy-request-id|go-singleflight|node-batch|(go|node)-websocket|node-longpoll"
	for name := range exactMethods {
		names += "|" + name
	}
	o.workload = regexp.MustCompile("^(" + names + ")$")
	o.requests = longer
	for i := range o.workloads {
		if w := &o.workloads[i]; w.name != "java-async" {
			w.requests = short
		}
	}
	return o.runAll(context.Background())
})

// cellOf returns the run of a workload.
func cellOf(t *testing.T, workload string, reuse bool) *cell {
	t.Helper()
	cells, err := measured()
	require.NoError(t, err)
	i := slices.IndexFunc(cells, func(c *cell) bool { return c.Workload == workload && c.Reuse == reuse })
	require.GreaterOrEqual(t, i, 0, workload)
	return cells[i]
}

// assertExact has every call under its request and no other, and each request be one trace.
func assertExact(t *testing.T, c *cell) {
	t.Helper()
	assert.InDelta(t, 1, c.Precision, 0)
	assert.InDelta(t, 1, c.Recall, 0)
	assert.InDelta(t, 1, c.FullyCorrect, 0)
	assert.Zero(t, c.OverMerged)
	assert.Empty(t, c.Broken)
	assert.Zero(t, c.Losses.Total(), c.Losses)
	assert.Empty(t, c.Examples)
}

// assertMostly has calls linked by evidence that locks and busy workers disturb: few are wrong,
// and few are not linked.
func assertMostly(t *testing.T, c *cell) {
	t.Helper()
	assert.GreaterOrEqual(t, c.Precision, 0.98)
	assert.GreaterOrEqual(t, c.Recall, 0.95)
	assert.LessOrEqual(t, c.OverMerged, c.WrongParents)
	assert.Empty(t, c.Broken)
	assert.Positive(t, c.Calls)
}

func TestExactRungs(t *testing.T) {
	cells, err := measured()
	require.NoError(t, err)
	for _, c := range cells {
		methods, exact := exactMethods[c.Workload]
		if !exact {
			continue
		}
		t.Run(c.name(), func(t *testing.T) {
			assertExact(t, c)
			for method := range c.Methods {
				assert.Contains(t, methods, method)
			}
		})
	}
	assert.Equal(t, map[string]float64{"thread": 1}, cellOf(t, "python-threads", true).Methods)
	assert.Equal(t, map[string]float64{"connect": 1}, cellOf(t, "python-threads", false).Methods)
}

// A recording has the same score as the run that was recorded.
func TestReplayScoresTheSame(t *testing.T) {
	live := cellOf(t, "node-sequence", true)
	o := testOptions()
	o.workload, o.reuse, o.replay = regexp.MustCompile("^node-sequence$"), []bool{true}, recordings
	replayed, err := o.replayAll(t.Context())
	require.NoError(t, err)
	require.Len(t, replayed, 1)
	for _, c := range []*cell{live, replayed[0]} {
		assert.Empty(t, c.Broken)
		assert.Equal(t, 900, c.Calls)
	}
	assert.InDelta(t, live.Precision, replayed[0].Precision, 0.005)
	assert.InDelta(t, live.Recall, replayed[0].Recall, 0.005)
	assert.Equal(t, live.OverMerged, replayed[0].OverMerged)
}
