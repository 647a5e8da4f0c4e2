package sampling

import (
	"strings"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
	"github.com/stretchr/testify/require"
)

const (
	most  = 1<<56 - 1
	hexD0 = 0xd0 << 48 // passes ot=th:c, not ot=th:e
	hexB0 = 0xb0 << 48 // passes ot=th:8, not ot=th:c
)

// Where the trace has no explicit randomness, these are also the answers of
// probabilistic_sampler v0.159.0 with mode equalizing and 25 percent, unless a comment
// says otherwise.
var quarterCases = []struct {
	name     string
	before   string
	id       uint64
	explicit uint64 // of the trace; 0 is none
	after    string
}{
	{"nothing", "", most, 0, "ot=th:c"},
	{"a sampler that kept all", "ot=th:0", most, 0, "ot=th:c"},
	{"a laxer one", "ot=th:8", most, 0, "ot=th:c"},
	{"an equal one", "ot=th:c", most, 0, "ot=th:c"},
	{"a stricter one", "ot=th:e", most, 0, "ot=th:e"},
	{"a slightly stricter one", "ot=th:c0000000000001", most, 0, "ot=th:c0000000000001"},
	{"others", "a=1,t@v=x:y;z", most, 0, "ot=th:c,a=1,t@v=x:y;z"},
	{"ot moves to the front", "a=1,ot=th:8,b=2", most, 0, "ot=th:c,a=1,b=2"},
	{"other keys of ot", "ot=p:8;th:8;k1:13;r:62,a=1", most, 0, "ot=th:c;p:8;k1:13;r:62,a=1"},
	{"randomness of its own", "ot=th:8;rv:d0000000000000", 0, 0, "ot=rv:d0000000000000;th:c"},

	// probabilistic_sampler writes these in its own form, which means the same.
	{"no change keeps every byte", " a=1 ,,ot=k:v;th:E,b=2", most, 0, " a=1 ,,ot=k:v;th:E,b=2"},
	{"none is needed for zeros at the end", "ot=th:c00", most, 0, "ot=th:c00"},

	// probabilistic_sampler drops these spans.
	{"not valid", "not valid", most, 0, "not valid"},
	{"threshold is no number", "ot=th:x,a=1", most, 0, "ot=th:x,a=1"},
	{"randomness is no number", "ot=rv:x,a=1", most, 0, "ot=rv:x,a=1"},
	{"was not to be kept by its own threshold", "ot=th:e", hexD0, 0, ""},
	{"was not to be kept: the rest stays", "a=1,ot=k:v;th:e,b=2", hexD0, 0, "ot=k:v,a=1,b=2"},
	{"was not to be kept by its own randomness", "ot=rv:d0000000000000;th:e", most, 0, "ot=rv:d0000000000000"},
	{"was not to be kept at this rate", "", hexB0, 0, ""},
	{"was not to be kept at this rate, but had a threshold", "ot=th:8,a=1", hexB0, 0, "a=1"},
	{"randomness of its own would not pass", "ot=rv:b0000000000000", most, 0, "ot=rv:b0000000000000"},

	{"the trace has randomness, the span none", "", 0, hexD0, "ot=rv:d0000000000000;th:c"},
	{"the trace has randomness, the span others", "a=1", 0, hexD0, "ot=rv:d0000000000000;th:c,a=1"},
	{"span and trace have the same", "ot=rv:D0000000000000", 0, hexD0, "ot=rv:D0000000000000;th:c"},
	{"span and trace have the same, marked", "ot=th:c;rv:d0000000000000", 0, hexD0, "ot=th:c;rv:d0000000000000"},
	{"span and trace differ", "ot=rv:ff000000000000;th:8", 0, hexD0, "ot=rv:d0000000000000;th:c"},
	{"the trace's is below the span's threshold", "ot=rv:ff000000000000;th:e", 0, hexD0, "ot=rv:d0000000000000"},
	{"the trace's is below this sampler's", "ot=k:v", most, hexB0, "ot=rv:b0000000000000;k:v"},
	{"randomness of more than 56 bits is none", "ot=th:8", most, 1 << 56, "ot=th:c"},
}

func TestTraceState(t *testing.T) {
	quarter := sampler(t, 0.25)
	for _, c := range quarterCases {
		t.Run(c.name, func(t *testing.T) {
			after := quarter.TraceState(c.before, traceID(c.id), c.explicit, c.explicit != 0)
			require.Equal(t, c.after, after)
			if !lostThreshold(c.before, after) {
				require.Equal(t, after, quarter.TraceState(after, traceID(c.id), c.explicit, c.explicit != 0), "a second linker changes nothing")
			}
			for _, rate := range []float64{0, 1} {
				require.Equal(t, c.before, sampler(t, rate).TraceState(c.before, traceID(c.id), c.explicit, c.explicit != 0), "rate %v changes nothing", rate)
			}
		})
	}
}

// lostThreshold tells whether a threshold was removed. A tracestate cannot say that a
// probability is not known: to whoever is next, it is 1.
func lostThreshold(before, after string) bool {
	return strings.Contains(before, "th:") && !strings.Contains(after, "th:")
}

// The limits are 256 characters for ot and 32 members.
func TestTraceStateThatIsFullStaysAsItIs(t *testing.T) {
	for name, full := range map[string]string{
		"characters": "ot=k:" + strings.Repeat("v", 252) + ",a=1",
		"members":    strings.Repeat("a=1,", 31) + "b=2",
	} {
		require.Equal(t, full, sampler(t, 0.25).TraceState(full, traceID(most), 0, false), name)
	}
	almost := "ot=k:" + strings.Repeat("v", 248)
	require.Equal(t, "ot=th:c;"+almost[3:], sampler(t, 0.25).TraceState(almost, traceID(most), 0, false))
}

func TestExplicitRandomness(t *testing.T) {
	for state, want := range map[string]uint64{
		"ot=rv:ff000000000000":          0xff000000000000,
		"ot=rv:00000000000000":          0,
		"a=1,ot=th:8;rv:0000000000000a": 0xa,
		"ot=th:8;rv:6E6D1A75832A2F,b=2": 0x6e6d1a75832a2f,
	} {
		r, ok := ExplicitRandomness(state)
		require.True(t, ok, state)
		require.Equal(t, want, r, state)
	}
	for _, state := range []string{"", "a=rv:ff000000000000", "ot=rv:ff", "ot=rv:1ff000000000000", "ot=xrv:ff000000000000", "ot=th:8", "rv:ff000000000000", "ot=rv:ff000000000000;th:x"} {
		_, ok := ExplicitRandomness(state)
		require.False(t, ok, state)
	}
}

func FuzzTraceState(f *testing.F) {
	for _, c := range quarterCases {
		f.Add(c.before, c.id, c.explicit, 0.25)
	}
	f.Add("ot=k:"+strings.Repeat("v", 252)+",a=1", uint64(most), uint64(most), 0.1)
	f.Fuzz(func(t *testing.T, before string, id, explicit uint64, rate float64) {
		s, err := New(rate)
		if err != nil {
			return
		}
		after := s.TraceState(before, traceID(id), explicit, explicit != 0)
		was, err := sampling.NewW3CTraceState(before)
		if err != nil || !s.decides() {
			require.Equal(t, before, after)
			return
		}
		checkTraceState(t, s, was, after, id)
		require.Equal(t, othersOf(before), othersOf(after))
		if !lostThreshold(before, after) {
			require.Equal(t, after, s.TraceState(after, traceID(id), explicit, explicit != 0))
		}
		if r, ok := ExplicitRandomness(after); ok && explicit != 0 && explicit <= most && after != before {
			require.Equal(t, explicit, r)
		}
	})
}

// checkTraceState checks that after is valid, has all that is not the sampler's
// business, and that its threshold is not wrong.
func checkTraceState(t *testing.T, s Sampler, was sampling.W3CTraceState, after string, id uint64) {
	is, err := sampling.NewW3CTraceState(after)
	require.NoError(t, err)
	require.Equal(t, was.ExtraValues(), is.ExtraValues())
	require.Equal(t, was.OTelValue().ExtraValues(), is.OTelValue().ExtraValues())
	if was.OTelValue().RValue() != "" {
		require.NotEmpty(t, is.OTelValue().RValue())
	}
	r, ok := is.OTelValue().RValueRandomness()
	if !ok {
		r = sampling.TraceIDToRandomness(traceID(id))
	}
	had, marked := was.OTelValue().TValueThreshold()
	if has, ok := is.OTelValue().TValueThreshold(); ok && len(after) <= 200 {
		require.True(t, has.ShouldSample(r), "%q is not consistent", after)
		require.Equal(t, max(had.Unsigned(), s.threshold.Unsigned()), has.Unsigned())
		return
	}
	require.True(t, len(after) > 200 || !s.threshold.ShouldSample(r) || marked && !had.ShouldSample(r), "%q has no threshold", after)
}

// othersOf returns the members of other vendors, found without the parser.
func othersOf(state string) (others []string) {
	for member := range strings.SplitSeq(state, ",") {
		if member = strings.Trim(member, " \t"); member != "" && !strings.HasPrefix(member, "ot=") {
			others = append(others, member)
		}
	}
	return others
}

func BenchmarkTraceState(b *testing.B) {
	s, id := sampler(b, 0.25), traceID(most)
	for name, state := range map[string]string{"Empty": "", "Strict": "ot=th:e", "Raised": "ot=th:8;rv:ff000000000000,a=1"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.TraceState(state, id, 0, false)
			}
		})
	}
}
