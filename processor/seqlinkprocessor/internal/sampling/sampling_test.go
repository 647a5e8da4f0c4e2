package sampling

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

func sampler(t testing.TB, rate float64) Sampler {
	s, err := New(rate)
	require.NoError(t, err)
	return s
}

func traceID(randomness uint64) (id pcommon.TraceID) {
	binary.BigEndian.PutUint64(id[8:], randomness)
	id[0] = 1
	return id
}

func TestRates(t *testing.T) {
	for _, rate := range []float64{-0.1, 1.1, math.NaN(), math.Inf(1), 1e-18} {
		_, err := New(rate)
		require.ErrorContains(t, err, fmt.Sprint(rate))
	}
	for _, rate := range []float64{0, 1, 0.5, 1e-9, minRate} {
		_, err := New(rate)
		require.NoError(t, err)
	}
}

// The threshold of a rate p is (1-p)·2^56; the highest byte of an id has no say.
func TestRule(t *testing.T) {
	half, quarter := sampler(t, 0.5), sampler(t, 0.25)
	require.True(t, half.Keep(traceID(1<<55), 0, false))
	require.False(t, half.Keep(traceID(1<<55-1), 0, false))
	require.False(t, half.Keep(traceID(0xff<<56|1<<55-1), 0, false))
	require.True(t, quarter.Keep(traceID(3<<54), 0, false))
	require.False(t, quarter.Keep(traceID(3<<54-1), 0, false))
	require.True(t, quarter.Keep(traceID(0), 3<<54, true), "explicit randomness comes first")
	require.False(t, quarter.Keep(traceID(1<<56-1), 0, true))
	require.True(t, sampler(t, 1).Keep(traceID(0), 0, false))
	require.False(t, sampler(t, 0).Keep(traceID(1<<56-1), 0, false))
}

func TestKeptAtALowerRateIsKeptAtAHigherOne(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	low, high := sampler(t, 0.01), sampler(t, 0.3)
	for range 100_000 {
		if id := traceID(rng.Uint64()); low.Keep(id, 0, false) {
			require.True(t, high.Keep(id, 0, false))
		}
	}
}

func TestFractionIsTheRate(t *testing.T) {
	const n = 200_000
	rng := rand.New(rand.NewPCG(3, 4))
	for _, rate := range []float64{0.5, 0.1, 0.001} {
		s, kept := sampler(t, rate), 0
		for range n {
			if s.Keep(traceID(rng.Uint64()), 0, false) {
				kept++
			}
		}
		sigma := math.Sqrt(n * rate * (1 - rate))
		require.InDelta(t, n*rate, kept, 5*sigma, "rate %v", rate)
	}
}

func TestMark(t *testing.T) {
	quarter := sampler(t, 0.25)
	for before, after := range map[string]string{
		"":                        "ot=th:c",
		"ot=th:8":                 "ot=th:c",
		"ot=th:e":                 "ot=th:e", // a stricter sampler was there before
		"a=1,b=2":                 "ot=th:c,a=1,b=2",
		"ot=rv:ff000000000000":    "ot=rv:ff000000000000;th:c",
		"ot=rv:ff000000000000;x:y,a=1": "ot=rv:ff000000000000;th:c;x:y,a=1",
		"not valid":               "not valid",
	} {
		state := pcommon.NewTraceState()
		state.FromRaw(before)
		quarter.Mark(state)
		assert.Equal(t, after, state.AsRaw(), "from %q", before)
		sampler(t, 1).Mark(state)
		assert.Equal(t, after, state.AsRaw(), "rate 1 marks nothing")
	}
}

func TestExplicitRandomness(t *testing.T) {
	for state, want := range map[string]uint64{
		"ot=rv:ff000000000000":     0xff000000000000,
		"a=1,ot=th:8;rv:0000000000000a": 0xa,
	} {
		r, ok := ExplicitRandomness(state)
		require.True(t, ok, state)
		require.Equal(t, want, r, state)
	}
	for _, state := range []string{"", "a=rv:ff000000000000", "ot=rv:ff", "ot=th:8", "rv:ff000000000000"} {
		_, ok := ExplicitRandomness(state)
		require.False(t, ok, state)
	}
}

func FuzzMark(f *testing.F) {
	f.Add("ot=th:8;rv:ff000000000000,a=1")
	f.Add("a=1,b=2")
	f.Fuzz(func(t *testing.T, raw string) {
		state := pcommon.NewTraceState()
		state.FromRaw(raw)
		sampler(t, 0.25).Mark(state)
		if state.AsRaw() == raw {
			return
		}
		for member := range strings.SplitSeq(raw, ",") {
			if member = strings.Trim(member, " \t"); member != "" && !strings.HasPrefix(member, "ot=") && !strings.Contains(state.AsRaw(), member) {
				t.Fatalf("%q lost %q of %q", state.AsRaw(), member, raw)
			}
		}
		ExplicitRandomness(raw)
	})
}

func BenchmarkKeep(b *testing.B) {
	s, id := sampler(b, 0.1), traceID(12345)
	b.ReportAllocs()
	for b.Loop() {
		s.Keep(id, 0, false)
	}
}
