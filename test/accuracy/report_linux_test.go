package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/test/accuracy/score"
)

func TestParseOptions(t *testing.T) {
	o, err := parseOptions([]string{"-workload", "node", "-in-flight", "16,64", "-reuse", "off"})
	require.NoError(t, err)
	assert.Equal(t, []int{16, 64}, o.inFlight)
	assert.Equal(t, []bool{false}, o.reuse)
	assert.False(t, o.whole)
	o, err = parseOptions(nil)
	require.NoError(t, err)
	assert.True(t, o.whole, "only then the page is written")
	for arguments, message := range map[string]string{
		"-in-flight 0": `"0" is no number of requests`, "-in-flight 16,x": `"x" is no number`,
		"-reuse maybe": "none of on, off and both", "-workload (": "missing closing", "-requests 0": "give 1 or more",
	} {
		_, err := parseOptions(strings.Fields(arguments))
		assert.ErrorContains(t, err, message, arguments)
	}
}

func result(precision, recall, whole float64) *score.Result {
	return &score.Result{
		Parents: 1, Precision: precision, Recall: recall, FullyCorrect: whole, Methods: map[string]float64{"loop": recall, "none": 1 - recall},
	}
}

func TestShort(t *testing.T) {
	of := func(inFlight int, r *score.Result) []string {
		c := cell{InFlight: inFlight, Result: r, wanted: chained}
		return c.short()
	}
	assert.Empty(t, of(64, result(0.999, 0.995, 0.99)))
	assert.Equal(t, []string{"precision below 0.999", "recall below 0.995", "fully correct below 0.99"}, of(64, result(0.998, 0.994, 0.98)))
	assert.Equal(t, []string{"recall below 0.995"}, of(256, result(1, 0.994, 0.98)), "whole traces are wanted at 64")
	assert.Empty(t, of(4, result(0.9, 0.9, 0.9)), "nothing is wanted below 16")
	merged, rash := result(1, 1, 1), result(1, 1, 1)
	merged.OverMerged, rash.CalibrationError = 1, 0.031
	assert.Equal(t, []string{"over-merged traces"}, of(1, merged))
	assert.Equal(t, []string{"confidence off by more than 0.03"}, of(16, rash))
}

// Spans that did not come make a run say nothing.
func TestBroken(t *testing.T) {
	r := report{Cells: []*cell{{Workload: "good", Result: result(1, 1, 1)}}}
	require.NoError(t, r.broken())
	c := &cell{Workload: "bad", InFlight: 4, Reuse: true}
	c.score(nil, score.Plan{{Name: "front", Calls: 1}, {Name: leaf}}, &traffic{First: 100_000, Requests: 2})
	r.Cells = append(r.Cells, c)
	require.ErrorContains(t, r.broken(), "bad-4-reuse-on: 6 spans missing")
}

func TestWritePage(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	r := report{Cells: []*cell{
		{Workload: "a", InFlight: 1, Reuse: true, Result: result(1, 1, 1)},
		{Workload: "a", InFlight: 16, Reuse: true, Result: result(0.99996, 0.5, 0.5), CPUMicros: 212.3, Short: []string{"recall"}},
		{Workload: "a", InFlight: 16, Result: result(1, 1, 1)},
		{Workload: "b", InFlight: 1, Result: result(1, 0.1, 0.1), Broken: "1 spans missing"},
		{Workload: "b", InFlight: 16, Result: &score.Result{Precision: 1, FullyCorrect: 0.25}},
	}}
	require.NoError(t, os.WriteFile(page, []byte("before\n"+pageBegin+"old\n"+pageEnd+"after\n"), 0o600))
	for range 2 {
		require.NoError(t, r.writePage(page))
	}
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "old")
	assert.Contains(t, string(text), "| `a` | kept | 100 / 100 | **99.99 / 50.00** | 50.00 | 0 | 0.000 | loop 50.0, none 50.0 | 212 |\n")
	assert.Contains(t, string(text), "| `a` | new | | 100 / 100 | 100 |")
	assert.Contains(t, string(text), "| `b` | new | spans lost | – / 0.00 | 25.00 |", "no parent is no precision")
	assert.True(t, strings.HasPrefix(string(text), "before\n") && strings.HasSuffix(string(text), pageEnd+"after\n"))
	require.NoError(t, os.WriteFile(page, nil, 0o600))
	assert.ErrorContains(t, r.writePage(page), "are not there")
}

// Every workload can be scored: its services have different names, and its page knows it.
func TestWorkloads(t *testing.T) {
	names := make(map[string]bool)
	for i := range workloads {
		w := &workloads[i]
		assert.False(t, names[w.name], w.name)
		names[w.name] = true
		services := make(map[string]bool)
		for _, s := range w.plan() {
			assert.False(t, services[s.Name], "%s: %s", w.name, s.Name)
			services[s.Name] = true
		}
		assert.NotZero(t, w.wanted, w.name)
	}
}
