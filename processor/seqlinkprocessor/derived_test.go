package seqlinkprocessor

import (
	"encoding/binary"
	"math"
	"math/bits"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/seqlink/seqlink/processor/seqlinkprocessor/internal/sampling"
)

// Samplers take the last 56 bits of a trace id for random. Those that the linker makes
// have to look so even when the span ids that they are made from do not.
func TestDerivedTraceIDsAreSampledLikeRandomOnes(t *testing.T) {
	const n = 100_000
	for name, derive := range map[string]func(i uint64) pcommon.TraceID{
		"a counter":                  func(i uint64) pcommon.TraceID { return deriveTraceID(spanIDOf(i + 1)) },
		"a counter in the high bits": func(i uint64) pcommon.TraceID { return deriveTraceID(spanIDOf((i + 1) << 44)) },
		"a counter from both ends":   func(i uint64) pcommon.TraceID { return deriveTraceID(spanIDOf(i + 1 | bits.Reverse64(i+1))) },
		"continuations":              func(i uint64) pcommon.TraceID { return continuationTraceID(pcommon.TraceID{1}, uint32(i+1)) },
		"continuations of counted ids": func(i uint64) pcommon.TraceID {
			return continuationTraceID(deriveTraceID(spanIDOf(i+1)), 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, rate := range []float64{0.5, 0.1, 0.001} {
				requireFraction(t, rate, n, derive)
			}
			for shift := 0; shift < 56; shift += 8 {
				requireUniform(t, shift, n, derive)
			}
		})
	}
}

func spanIDOf(v uint64) (id pcommon.SpanID) {
	binary.BigEndian.PutUint64(id[:], v)
	return id
}

func requireFraction(t *testing.T, rate, n float64, derive func(i uint64) pcommon.TraceID) {
	t.Helper()
	s, err := sampling.New(rate)
	require.NoError(t, err)
	kept := 0
	for i := range uint64(n) {
		if s.Keep(derive(i), 0, false) {
			kept++
		}
	}
	require.InDelta(t, n*rate, kept, 4*math.Sqrt(n*rate*(1-rate)), "rate %v", rate)
}

// requireUniform is a chi-squared test of the eight bits from shift on, whose statistic
// has the mean 255 and the variance 510.
func requireUniform(t *testing.T, shift int, n float64, derive func(i uint64) pcommon.TraceID) {
	t.Helper()
	var counts [256]float64
	for i := range uint64(n) {
		id := derive(i)
		counts[binary.BigEndian.Uint64(id[8:])>>shift&0xff]++
	}
	statistic, expected := 0.0, n/256
	for _, c := range counts {
		statistic += (c - expected) * (c - expected) / expected
	}
	require.InDelta(t, 255, statistic, 5*math.Sqrt(510), "bits from %d on", shift)
}
