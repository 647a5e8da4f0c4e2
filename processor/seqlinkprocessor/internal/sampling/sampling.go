// Package sampling decides by OpenTelemetry's consistent probability rule which
// traces are kept (https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/):
// a trace is kept when its randomness, the last 56 bits of its id or an explicit
// value, is not below a threshold. Everybody who samples so at one rate keeps the same
// traces, and at a lower rate a part of those.
package sampling

import (
	"fmt"
	"math"
	"strings"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// minRate is the smallest rate that a threshold of 56 bits can express.
const minRate = 1.0 / (1 << 56)

// Sampler keeps traces with a fixed probability, whatever was decided before: a trace
// that an earlier sampler kept with a smaller one stays ("equalizing" in the terms of
// the Collector's probabilistic_sampler). The zero value is not valid.
type Sampler struct {
	threshold sampling.Threshold
	rate      float64
}

// New returns a sampler for a rate from 0, which keeps nothing, to 1, which keeps
// everything and marks nothing.
func New(rate float64) (Sampler, error) {
	switch {
	case math.IsNaN(rate) || rate < 0 || rate > 1:
		return Sampler{}, fmt.Errorf("%v is not a probability: give a number from 0 (keep no trace) to 1 (keep all), 0.1 for one trace in ten", rate)
	case rate == 0:
		return Sampler{}, nil
	case rate < minRate:
		return Sampler{}, fmt.Errorf("%v is too small: give 0 (keep no trace) or at least 2^-56", rate)
	}
	threshold, err := sampling.ProbabilityToThreshold(rate)
	if err != nil {
		return Sampler{}, fmt.Errorf("%v: %w", rate, err)
	}
	return Sampler{threshold: threshold, rate: rate}, nil
}

// Keep tells whether a trace is kept, by its explicit randomness if it has one, or by
// its id.
func (s Sampler) Keep(trace pcommon.TraceID, randomness uint64, explicit bool) bool {
	switch s.rate {
	case 0:
		return false
	case 1:
		return true
	}
	if explicit {
		if r, err := sampling.UnsignedToRandomness(randomness); err == nil {
			return s.threshold.ShouldSample(r)
		}
	}
	return s.threshold.ShouldSample(sampling.TraceIDToRandomness(trace))
}

// Mark writes the threshold that a kept span passed into its tracestate (ot=th), so
// that adjusted counts can be computed, unless it passed a stricter one before. A
// tracestate that is not valid stays as it is.
func (s Sampler) Mark(state pcommon.TraceState) {
	if s.rate == 0 || s.rate == 1 {
		return
	}
	parsed, err := sampling.NewW3CTraceState(state.AsRaw())
	if err != nil {
		return
	}
	// The only error is that a stricter threshold is there.
	if err := parsed.OTelValue().UpdateTValueWithSampling(s.threshold); err != nil {
		return
	}
	var marked strings.Builder
	if err := parsed.Serialize(&marked); err == nil {
		state.FromRaw(marked.String())
	}
}

// ExplicitRandomness returns the randomness that a tracestate gives (ot=rv), a number
// of 56 bits.
func ExplicitRandomness(state string) (uint64, bool) {
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
