package batchcodec

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// addSpan adds a span with these attributes to a scope.
func addSpan(ss ptrace.ScopeSpans, id byte, fill func(pcommon.Map)) {
	ps := ss.Spans().AppendEmpty()
	ps.SetSpanID(pcommon.SpanID{id})
	ps.SetName("name")
	ps.Events().AppendEmpty().Attributes().PutStr("of", "an event")
	fill(ps.Attributes())
}

func scopeOf(td ptrace.Traces, service string) ptrace.ScopeSpans {
	rs := td.ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", service)
	return rs.ScopeSpans().AppendEmpty()
}

func sample() ptrace.Traces {
	td := ptrace.NewTraces()
	ss := scopeOf(td, "front")
	addSpan(ss, 1, func(m pcommon.Map) {
		m.PutStr("http.request.method", "GET")
		m.PutStr("url.path", "")
		m.PutStr("", "empty key")
		m.PutInt("status", math.MinInt64)
		m.PutInt("size", math.MaxInt64)
		m.PutDouble("confidence", math.Inf(-1))
		m.PutBool("yes", true)
		m.PutBool("no", false)
	})
	addSpan(ss, 2, func(pcommon.Map) {})
	addSpan(ss, 3, func(m pcommon.Map) {
		m.PutStr("http.request.method", "GET")
		m.PutEmptySlice("list").AppendEmpty().SetStr("a")
	})
	addSpan(scopeOf(td, "back"), 4, func(m pcommon.Map) { m.PutStr("GET", "http.request.method") })
	addSpan(scopeOf(td, "many"), 5, func(m pcommon.Map) {
		for i := range maxAttributes + 1 {
			m.PutInt(fmt.Sprint("key ", i), int64(i))
		}
	})
	return td
}

func clone(td ptrace.Traces) ptrace.Traces {
	other := ptrace.NewTraces()
	td.CopyTo(other)
	return other
}

func encode(t testing.TB, td ptrace.Traces) []byte {
	data, _, err := Append(nil, td)
	require.NoError(t, err)
	return data
}

func TestRoundTrip(t *testing.T) {
	td := sample()
	want := clone(td)
	for range 3 { // with a new encoder, and with a used one
		data := encode(t, td)
		require.Equal(t, want, td, "it is left as it was")
		got, err := Decode(data)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestPartsArePutTogether(t *testing.T) {
	first, second := sample(), ptrace.NewTraces()
	addSpan(scopeOf(second, "other"), 9, func(m pcommon.Map) { m.PutStr("a", "b") })
	data, _, err := Append(encode(t, first), second)
	require.NoError(t, err)
	got, err := Decode(data)
	require.NoError(t, err)
	want := clone(first)
	clone(second).ResourceSpans().MoveAndAppendTo(want.ResourceSpans())
	require.Equal(t, want, got)
}

// More strings than the dictionary begins with room for.
func TestManyStrings(t *testing.T) {
	td := ptrace.NewTraces()
	ss := scopeOf(td, "many")
	for i := range 2000 {
		addSpan(ss, byte(i), func(m pcommon.Map) { m.PutStr(fmt.Sprint("key", i%300), fmt.Sprint("value", i)) })
	}
	got, err := Decode(encode(t, td))
	require.NoError(t, err)
	require.Equal(t, td, got)
}

// The size is about that in protobuf, however often strings come again.
func TestSizeIsThatOfProtobuf(t *testing.T) {
	td := ptrace.NewTraces()
	ss := scopeOf(td, "many")
	for i := range 1000 {
		addSpan(ss, byte(i), func(m pcommon.Map) {
			m.PutStr("url.full", strings.Repeat("long", 100))
			m.PutStr("http.request.method", "GET")
			m.PutInt("http.response.status_code", 200)
		})
	}
	data, size, err := Append(nil, td)
	require.NoError(t, err)
	require.InEpsilon(t, (&ptrace.ProtoMarshaler{}).TracesSize(td), size, 0.1)
	require.Less(t, len(data), size/5)
}

// A key that comes twice is against the specification, and yet must come back.
func TestDuplicateKeysStay(t *testing.T) {
	td := ptrace.NewTraces()
	addSpan(scopeOf(td, "s"), 1, func(m pcommon.Map) { m.PutInt("kez", 1); m.PutInt("key", 2) })
	data, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	require.NoError(t, err)
	for i := range data {
		if string(data[i:min(len(data), i+3)]) == "kez" {
			data[i+2] = 'y'
		}
	}
	td, err = (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(data)
	require.NoError(t, err)
	got, err := Decode(encode(t, td))
	require.NoError(t, err)
	require.Equal(t, td, got)
	require.Equal(t, 2, got.ResourceSpans().At(0).ScopeSpans().At(0).Spans().At(0).Attributes().Len())
}

// What an older version stored is protobuf alone.
func TestProtobufIsRead(t *testing.T) {
	data, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(sample())
	require.NoError(t, err)
	got, err := Decode(data)
	require.NoError(t, err)
	require.Equal(t, sample(), got)
}

func TestDamageIsAnError(t *testing.T) {
	data := encode(t, sample())
	for cut := 1; cut < len(data); cut++ {
		_, err := Decode(data[:cut])
		require.Error(t, err, cut)
	}
	_, err := Decode([]byte{7})
	require.ErrorContains(t, err, "unknown format 0x7")
	none, err := Decode(nil)
	require.NoError(t, err)
	require.Zero(t, none.SpanCount())
}

// Whatever was stored, decoding ends, with an error or with spans that can be stored
// again.
func FuzzDecode(f *testing.F) {
	f.Add(encode(f, sample()))
	f.Add([]byte{format, 1, 0, 0, 1, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		td, err := Decode(data)
		if err != nil {
			return
		}
		again, err := Decode(encode(t, td))
		require.NoError(t, err)
		require.Equal(t, td.SpanCount(), again.SpanCount())
	})
}
