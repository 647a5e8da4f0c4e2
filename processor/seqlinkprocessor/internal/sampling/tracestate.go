package sampling

import (
	"strings"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// ExplicitRandomness returns the randomness that a tracestate gives (ot=rv), a number
// of 56 bits. A tracestate that is not valid gives none.
func ExplicitRandomness(state string) (randomness uint64, explicit bool) {
	if !strings.Contains(state, "rv:") {
		return 0, false
	}
	parsed, err := sampling.NewW3CTraceState(state)
	if err != nil {
		return 0, false
	}
	r, ok := parsed.OTelValue().RValueRandomness()
	return r.Unsigned(), ok
}

// TraceState returns the tracestate with which a span of a kept trace goes on, so that
// readers know its probability and samplers after this one decide by the same
// randomness. The arguments after current are those of Keep.
//
//   - ot=th is the largest threshold that the span passed: this sampler's, or the one
//     that it came with. Where the randomness is below either, the probability is not
//     known, and there is no threshold: an earlier sampler went by another trace id, or
//     the trace was kept at another rate.
//   - ot=rv is the trace's explicit randomness. Without one, the span's stays, and the
//     threshold is checked against it, as samplers after this one will.
//   - The rest keeps its order, after ot as W3C wants it when ot changed.
//
// A tracestate that is not valid, or would not be after that, stays as it is.
func (s Sampler) TraceState(current string, trace pcommon.TraceID, randomness uint64, explicit bool) string {
	switch {
	case !s.decides():
		return current
	case current == "" && !explicit:
		if s.Keep(trace, 0, false) {
			return s.fresh
		}
		return ""
	}
	parsed, err := sampling.NewW3CTraceState(current)
	if err != nil {
		return current
	}
	ot := parsed.OTelValue()
	rv, th := ot.RValue(), ot.TValue()
	s.raise(ot, agree(ot, trace, randomness, explicit))
	if ot.RValue() == rv && ot.TValue() == th {
		return current
	}
	return serialize(parsed, current)
}

// agree lets ot say the explicit randomness of its trace, and returns the randomness
// by which samplers that read ot will decide.
func agree(ot *sampling.OpenTelemetryTraceState, trace pcommon.TraceID, randomness uint64, explicit bool) sampling.Randomness {
	own, has := ot.RValueRandomness()
	if explicit {
		if r, err := sampling.UnsignedToRandomness(randomness); err == nil {
			if !has || own != r {
				ot.SetRValue(r)
			}
			return r
		}
	}
	if has {
		return own
	}
	return sampling.TraceIDToRandomness(trace)
}

// raise sets the threshold to that of s if it is the larger one, or removes it where it
// cannot be true.
func (s Sampler) raise(ot *sampling.OpenTelemetryTraceState, r sampling.Randomness) {
	had, has := ot.TValueThreshold()
	if has && !had.ShouldSample(r) || !s.threshold.ShouldSample(r) {
		ot.ClearTValue()
		return
	}
	if !has || sampling.ThresholdLessThan(had, s.threshold) {
		// It fails only where the present threshold is larger.
		_ = ot.UpdateTValueWithSampling(s.threshold)
	}
}

// serialize returns the text of state, or otherwise if that would be too long: samplers
// after this one may drop spans whose tracestate is not valid.
func serialize(state sampling.W3CTraceState, otherwise string) string {
	var b strings.Builder
	b.Grow(len(otherwise) + len("ot=rv:;th:;,") + 2*sampling.NumHexDigits)
	if err := state.Serialize(&b); err != nil {
		return otherwise
	}
	if _, err := sampling.NewW3CTraceState(b.String()); err != nil {
		return otherwise
	}
	return b.String()
}
