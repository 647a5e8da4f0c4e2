package sampling

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

func sampler(t testing.TB, rate float64) Sampler {
	t.Helper()
	s, err := New(rate)
	require.NoError(t, err)
	return s
}

// traceID returns a trace id with a randomness, and something in the bits above it.
func traceID(randomness uint64) (id pcommon.TraceID) {
	binary.BigEndian.PutUint64(id[:8], 0xfedcba9876543210)
	binary.BigEndian.PutUint64(id[8:], randomness|0xff<<56)
	return id
}

func TestRates(t *testing.T) {
	for _, rate := range []float64{-0.1, 1.1, math.NaN(), math.Inf(1), math.Inf(-1), 1e-18, math.SmallestNonzeroFloat64} {
		_, err := New(rate)
		require.ErrorContains(t, err, fmt.Sprint(rate))
		require.ErrorContains(t, err, "0 (keep no trace)")
		require.ErrorContains(t, err, "1 (keep all)")
	}
	for _, rate := range []float64{0, 1, 0.5, 1e-9, sampling.MinSamplingProbability, math.Nextafter(1, 0)} {
		_, err := New(rate)
		require.NoError(t, err)
	}
}

// The specification's table of thresholds for 1-in-N sampling with four digits, under
// "Converting floating-point probability to threshold value".
func TestThresholdsOfTheSpecification(t *testing.T) {
	for n, th := range map[float64]string{
		2: "8", 3: "aaab", 4: "c", 5: "cccd", 8: "e", 10: "e666", 16: "f", 100: "fd70a",
		1000: "ffbe77", 10_000: "fff9724", 100_000: "ffff583a", 1_000_000: "ffffef39",
	} {
		require.Equal(t, "ot=th:"+th, sampler(t, 1/n).TraceState("", traceID(1<<56-1), 0, false), "1 in %v", n)
	}
}

func TestRandomnessAtTheThresholdIsKept(t *testing.T) {
	for rate, threshold := range map[float64]uint64{
		0.5:                             1 << 55,
		0.25:                            3 << 54,
		0.1:                             0xe6660000000000,
		sampling.MinSamplingProbability: 1<<56 - 1,
	} {
		s := sampler(t, rate)
		require.True(t, s.Keep(traceID(threshold), 0, false), "rate %v", rate)
		require.False(t, s.Keep(traceID(threshold-1), 0, false), "rate %v", rate)
		require.True(t, s.Keep(traceID(0), threshold, true), "explicit randomness comes first")
		require.False(t, s.Keep(traceID(1<<56-1), threshold-1, true), "explicit randomness comes first")
		require.True(t, s.Keep(traceID(threshold), 1<<56, true), "explicit randomness of more than 56 bits is none")
	}
}

func TestAllAndNone(t *testing.T) {
	for _, r := range []uint64{0, 1, 1 << 55, 1<<56 - 1} {
		require.True(t, sampler(t, 1).Keep(traceID(r), 0, false))
		require.True(t, sampler(t, 1).Keep(traceID(0), r, true))
		require.False(t, sampler(t, 0).Keep(traceID(r), 0, false))
		require.False(t, sampler(t, 0).Keep(traceID(0), r, true))
	}
}

func TestWhatALowerRateKeepsAHigherOneKeeps(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		// Most of the time the two are close, at all magnitudes.
		low := math.Pow(2, -56*rng.Float64())
		high := min(1, low*(1+math.Pow(2, -30*rng.Float64())))
		a, b := sampler(t, low), sampler(t, high)
		require.LessOrEqual(t, b.threshold.Unsigned(), a.threshold.Unsigned(), "%v and %v", low, high)
		for _, r := range []uint64{rng.Uint64N(1 << 56), a.threshold.Unsigned(), b.threshold.Unsigned(), b.threshold.Unsigned() - 1} {
			if id := traceID(r &^ (0xff << 56)); a.Keep(id, 0, false) {
				require.True(t, b.Keep(id, 0, false), "%v is kept at %v, not at %v", id, low, high)
			}
		}
	}
}

func TestFractionIsTheRate(t *testing.T) {
	const n = 100_000
	rng := rand.New(rand.NewPCG(3, 4))
	for _, rate := range []float64{0.5, 0.1, 0.001} {
		s, kept := sampler(t, rate), 0
		for range n {
			if s.Keep(traceID(rng.Uint64()), 0, false) {
				kept++
			}
		}
		sigma := math.Sqrt(n * rate * (1 - rate))
		require.InDelta(t, n*rate, kept, 4*sigma, "rate %v", rate)
	}
}

// The digits that a threshold has are enough for any rate.
func TestThresholdIsNearTheRate(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 20_000 {
		rate := math.Pow(2, -56*rng.Float64())
		if rate < 1e-13 {
			continue // the 56 bits themselves are coarse there
		}
		require.InEpsilon(t, rate, sampler(t, rate).threshold.Probability(), 1e-3)
	}
}

func TestKeepAllocatesNothing(t *testing.T) {
	s, id := sampler(t, 0.1), traceID(1<<56-1)
	require.Zero(t, testing.AllocsPerRun(100, func() { s.Keep(id, 0, false) }))
	require.Zero(t, testing.AllocsPerRun(100, func() { s.TraceState("", id, 0, false) }))
	require.Zero(t, testing.AllocsPerRun(100, func() { ExplicitRandomness("ot=th:8,vendor=value") }))
}

func BenchmarkKeep(b *testing.B) {
	s, id := sampler(b, 0.1), traceID(12345)
	b.ReportAllocs()
	kept := 0
	for b.Loop() {
		binary.BigEndian.PutUint64(id[8:], binary.BigEndian.Uint64(id[8:])*0x9e3779b97f4a7c15+1)
		if s.Keep(id, 0, false) {
			kept++
		}
	}
	b.ReportMetric(float64(kept)/float64(b.N), "kept/op")
}
