package ebpfspanreceiver

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/budget"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/span"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/thin"
)

// replayThinned plays a recording with a part of the requests kept, and returns the
// spans by id.
func replayThinned(t *testing.T, path string, ratio float64) map[pcommon.SpanID]ptrace.Span {
	t.Helper()
	thinner := thin.New(nil, func() int64 { return 0 }, zap.NewNop())
	thinner.Enable()
	thinner.Aim(ratio)
	thinner.Tick(1e18)
	spans := make(map[pcommon.SpanID]ptrace.Span)
	s := &stats{}
	p := newPipeline(createDefaultConfig().(*Config), span.Options{MinConfidence: 0.9}, nil, thinner, s, zap.NewNop(), func(batch ptrace.Traces) {
		for _, r := range batch.ResourceSpans().All() {
			for _, s := range r.ScopeSpans().At(0).Spans().All() {
				spans[s.SpanID()] = s
			}
		}
	})
	recording, err := capture.OpenRecording(path, &s.losses)
	require.NoError(t, err)
	require.NoError(t, recording.Run(t.Context(), p.event))
	require.NoError(t, recording.Close())
	p.finish()
	s.losses.Each(func(reason loss.Reason, n int64) {
		if reason != loss.HeadTooLong { // answers of databases may be long
			assert.Zero(t, n, reason)
		}
	})
	return spans
}

// Of real services, whatever is kept is what it would be if everything was kept, both
// ends of a request are kept or none, and no span has a parent in its process that is
// left out.
func TestThinnedRecordings(t *testing.T) {
	recordings, err := filepath.Glob("testdata/*.jsonl.gz")
	require.NoError(t, err)
	for _, path := range recordings {
		all := replayThinned(t, path, 1)
		kept := replayThinned(t, path, 0.5)
		const many = 100 // sessions with databases are short, and nothing in them has a parent in its process
		if len(all) > many {
			assert.InDelta(t, 0.5, float64(len(kept))/float64(len(all)), 0.1, path)
		}
		linked, pairs := 0, 0
		for id, s := range kept {
			whole, ok := all[id]
			require.True(t, ok, path)
			parent := whole.ParentSpanID()
			_, seen := all[parent]
			_, there := kept[parent]
			switch {
			case s.Kind() == ptrace.SpanKindServer:
				assert.Equal(t, parent, s.ParentSpanID())
				assert.Equal(t, seen, there, "both ends of a request")
				pairs++
			case there:
				assert.Equal(t, parent, s.ParentSpanID())
				assert.Equal(t, whole.TraceID(), s.TraceID())
				linked++
			default:
				assert.True(t, s.ParentSpanID().IsEmpty(), "no parent that is left out")
			}
			ratio, _ := s.Attributes().Get(span.AttributeCaptureRatio)
			assert.InDelta(t, 0.5, ratio.Double(), 0)
		}
		if len(all) > many {
			assert.Positive(t, linked, path)
		}
		assert.Positive(t, pairs, path)
	}
}

func TestPartOfTheRequestsIsBounded(t *testing.T) {
	part, err := (&BudgetConfig{}).requests()
	require.NoError(t, err)
	require.InDelta(t, 1, part, 0)
	part, err = (&BudgetConfig{Requests: "12.5%"}).requests()
	require.NoError(t, err)
	require.InDelta(t, 0.125, part, 0)
	g := governing{most: part}
	require.InDelta(t, part, g.ratio(), 0)
	g.governor = budget.NewGovernor(budget.Options{})
	require.InDelta(t, part, g.ratio(), 0, "the smaller part counts")
	require.Zero(t, g.cores())
	require.Zero(t, g.pressure())
}
