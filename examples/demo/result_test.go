package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/examples/run"
)

func writeSummary(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "summary.json")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

func TestPrintFailsWithoutACompleteTrace(t *testing.T) {
	path := writeSummary(t, `{"traces": 2, "spans": 3, "linked_spans": 2, "traces_with_missing_links": 1}`)
	none := &result{report: &run.Report{Requests: 2}, losses: run.Losses{}, services: []string{"orders"}}
	require.ErrorContains(t, none.print(path), "no trace was complete")
	none.report.Complete = 1
	require.NoError(t, none.print(path))

	require.NoError(t, printReplay(path, run.Losses{}))
	all := writeSummary(t, `{"traces": 2, "traces_with_missing_links": 2}`)
	require.ErrorContains(t, printReplay(all, run.Losses{}), "no trace was complete")
}

func TestSummaryErrors(t *testing.T) {
	_, err := readSummary(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = readSummary(writeSummary(t, "{"))
	require.ErrorContains(t, err, "read the summary")
}

func TestShareIsCut(t *testing.T) {
	assert.Equal(t, "99.9 %", (&summary{Spans: 10_000, LinkedSpans: 9_999}).share())
	assert.Equal(t, "none", (&summary{}).share())
}
