// Package sampling decides by OpenTelemetry's consistent probability rule which
// traces are kept (https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/):
// a trace is kept when its randomness, the last 56 bits of its id or an explicit value
// (ot=rv in the tracestate), is not below a threshold. Everybody who samples so at one
// rate keeps the same traces, and at a lower rate a part of those.
//
// The rate is the final probability: a span that an earlier sampler kept with a smaller
// one passes, and keeps the threshold that it had ("equalizing" in the terms of the
// specification and of the Collector's probabilistic_sampler). The other way,
// "proportional", multiplies the rate with the probability so far. That differs from
// span to span where a trace crosses services with samplers of their own, and would
// tear apart the traces that were just joined; and two linkers in a row would keep the
// square of their rate.
package sampling

import (
	"fmt"
	"math"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// precision is the number of significant hexadecimal digits of a threshold. Four are
// what the specification recommends to SDKs and what probabilistic_sampler uses by
// default: with more digits the thresholds for one rate would differ, and so would the
// decisions about a few traces.
const precision = 4

// Sampler keeps traces with a fixed probability. The zero value keeps all.
type Sampler struct {
	threshold sampling.Threshold
	// fresh is the tracestate of a kept span that had none.
	fresh string
}

// New returns a sampler for a rate from 0, which keeps nothing, to 1, which keeps
// everything and marks nothing.
func New(rate float64) (Sampler, error) {
	switch {
	case math.IsNaN(rate) || rate < 0 || rate > 1:
		return Sampler{}, fmt.Errorf("%v is not a probability: give a number from 0 (keep no trace) to 1 (keep all), 0.1 for one trace in ten", rate)
	case rate == 0:
		return Sampler{threshold: sampling.NeverSampleThreshold}, nil
	case rate < sampling.MinSamplingProbability:
		return Sampler{}, fmt.Errorf("%v is too small: give 0 (keep no trace) or a number from 2^-56 (about 1.4e-17) to 1 (keep all)", rate)
	}
	threshold, err := sampling.ProbabilityToThresholdWithPrecision(rate, precision)
	if err != nil {
		return Sampler{}, fmt.Errorf("%v: %w", rate, err)
	}
	return Sampler{threshold: threshold, fresh: "ot=th:" + threshold.TValue()}, nil
}

// Keep tells whether a trace is kept, by its explicit randomness if it has one, or by
// its id.
func (s Sampler) Keep(trace pcommon.TraceID, randomness uint64, explicit bool) bool {
	return s.threshold.ShouldSample(randomnessOf(trace, randomness, explicit))
}

// decides tells whether the sampler keeps some traces and not others.
func (s Sampler) decides() bool {
	return s.threshold != sampling.AlwaysSampleThreshold && s.threshold != sampling.NeverSampleThreshold
}

func randomnessOf(trace pcommon.TraceID, randomness uint64, explicit bool) sampling.Randomness {
	if explicit {
		if r, err := sampling.UnsignedToRandomness(randomness); err == nil {
			return r
		}
	}
	return sampling.TraceIDToRandomness(trace)
}
