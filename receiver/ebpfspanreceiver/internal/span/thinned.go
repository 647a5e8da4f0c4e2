package span

import (
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// thinned tells on spans which part of the requests was kept. The text for the last
// threshold is kept, too, as it seldom changes.
type thinned struct {
	threshold sampling.Threshold
	state     string
	ratio     float64
}

// describe says how many requests a kept one stands for: as an attribute, and as the
// threshold of OpenTelemetry's probability sampling (ot=th in the tracestate), by which
// the Collector's span_metrics connector, for one, counts the span as many. There is
// no ot=rv: the randomness is the request's, and not its trace's.
func (t *thinned) describe(s ptrace.Span, a *protocol.Attributes, e *protocol.Exchange) {
	threshold := e.Thinning.Threshold
	if threshold == sampling.AlwaysSampleThreshold {
		return
	}
	if threshold != t.threshold {
		t.threshold, t.ratio = threshold, e.Thinning.Ratio()
		t.state = "ot=th:" + threshold.TValue()
	}
	s.TraceState().FromRaw(t.state)
	a.AddDouble(AttributeCaptureRatio, t.ratio)
}
