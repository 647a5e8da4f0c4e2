package span

import (
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/causality"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/thin"
)

func verdict(t *testing.T, ratio float64, out bool) thin.Verdict {
	t.Helper()
	threshold, err := sampling.ProbabilityToThresholdWithPrecision(ratio, 4)
	require.NoError(t, err)
	return thin.Verdict{Threshold: threshold, Out: out}
}

func TestNoSpanOfWhatIsLeftOut(t *testing.T) {
	call, request := ends(1)
	call.Thinning, request.Thinning = verdict(t, 0.1, true), verdict(t, 0.1, true)
	b := NewBuilder(Options{})
	b.Link(causality.Link{Exchange: call})
	b.Link(causality.Link{Exchange: request})
	assert.Zero(t, b.Len())
}

func TestAKeptCallOfALeftOutRequestIsARoot(t *testing.T) {
	call, _ := ends(1)
	_, request := ends(2)
	call.Thinning, request.Thinning = verdict(t, 0.5, false), verdict(t, 0.5, true)
	b := NewBuilder(Options{MinConfidence: 0.9})
	for _, confidence := range []float64{1, 0.5} {
		b.Link(causality.Link{Exchange: call, Parent: request, Method: causality.MethodThread, Confidence: confidence})
		c := spans(b)[ptrace.SpanKindClient]
		assert.True(t, c.ParentSpanID().IsEmpty())
		assert.Equal(t, TraceID(c.SpanID()), c.TraceID())
		assert.Zero(t, c.Links().Len())
		_, linked := c.Attributes().Get(AttributeLinkMethod)
		assert.False(t, linked)
	}
}

// The Collector's own reader of tracestates finds how many requests a span stands for.
func TestKeptSpansTellTheirRatio(t *testing.T) {
	for _, ratio := range []float64{1, 0.5, 0.1, 1.0 / 1024} {
		_, request := ends(1)
		request.Thinning = verdict(t, ratio, false)
		b := NewBuilder(Options{})
		b.Link(causality.Link{Exchange: request})
		s := spans(b)[ptrace.SpanKindServer]
		state, err := sampling.NewW3CTraceState(s.TraceState().AsRaw())
		require.NoError(t, err)
		told, ok := s.Attributes().Get(AttributeCaptureRatio)
		if ratio == 1 {
			assert.False(t, ok)
			assert.Empty(t, s.TraceState().AsRaw())
			continue
		}
		assert.InEpsilon(t, ratio, told.Double(), 0.001)
		assert.InEpsilon(t, 1/ratio, state.OTelValue().AdjustedCount(), 0.001)
	}
}
