package propagation

import (
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// decision is a sampling decision in a table of tests.
type decision string

const (
	none decision = "none"
	keep decision = "keep"
	drop decision = "drop"
)

// contextOf makes a context from hexadecimal ids of full length.
func contextOf(t *testing.T, propagator, traceID, spanID string, d decision) protocol.TraceContext {
	t.Helper()
	c := protocol.TraceContext{Propagator: propagator}
	switch d {
	case keep:
		c.Flags, c.Decided = 1, true
	case drop:
		c.Decided = true
	}
	_, err := hex.Decode(c.TraceID[:], []byte(traceID))
	require.NoError(t, err)
	_, err = hex.Decode(c.SpanID[:], []byte(spanID))
	require.NoError(t, err)
	return c
}

const (
	upper = "640cfd8d00000000"
	lower = "abcdefab12345678" // 12379814468735227512
	span  = "00f067aa0ba902b7" // 67667974448284343
	zeros = "0000000000000000"
)

func TestFormats(t *testing.T) {
	decimal := list{{"X-Datadog-Trace-Id", "12379814468735227512"}, {"X-Datadog-Parent-Id", "67667974448284343"}}
	with := func(base list, more ...[2]string) list { return append(append(list{}, base...), more...) }
	multiple := list{{"X-B3-TraceId", upper + lower}, {"X-B3-SpanId", span}}
	for name, c := range map[string]struct {
		fields                      list
		propagator, traceID, spanID string
		decision                    decision
	}{
		"datadog, 64 bits":    {decimal, "datadog", zeros + lower, span, none},
		"datadog, lower case": {list{{"x-datadog-trace-id", "12379814468735227512"}, {"x-datadog-parent-id", " 67667974448284343"}}, "datadog", zeros + lower, span, none},
		"datadog, 128 bits":   {with(decimal, [2]string{"x-datadog-tags", "_dd.p.dm=-1,_dd.p.tid=" + upper}), "datadog", upper + lower, span, none},
		"datadog, bad tid":    {with(decimal, [2]string{"x-datadog-tags", "_dd.p.tid=640cfd8d0000000g"}), "datadog", zeros + lower, span, none},
		"datadog, short tid":  {with(decimal, [2]string{"x-datadog-tags", "_dd.p.tid=640c"}), "datadog", zeros + lower, span, none},
		"datadog, kept":       {with(decimal, [2]string{"x-datadog-sampling-priority", "2"}), "datadog", zeros + lower, span, keep},
		"datadog, dropped":    {with(decimal, [2]string{"x-datadog-sampling-priority", "-1"}), "datadog", zeros + lower, span, drop},
		"datadog, priority 0": {with(decimal, [2]string{"x-datadog-sampling-priority", "0"}), "datadog", zeros + lower, span, drop},
		"datadog, priority x": {with(decimal, [2]string{"x-datadog-sampling-priority", "x"}), "datadog", zeros + lower, span, none},
		"b3, single":          {list{{"b3", upper + lower + "-" + span + "-1"}}, "b3", upper + lower, span, keep},
		"b3, single, 64 bits": {list{{"B3", lower + "-" + span}}, "b3", zeros + lower, span, none},
		"b3, single, debug":   {list{{"b3", lower + "-" + span + "-d-05e3ac9a4f6e3b90"}}, "b3", zeros + lower, span, keep},
		"b3, single first":    {with(multiple, [2]string{"b3", lower + "-" + span + "-0"}), "b3", zeros + lower, span, drop},
		"b3, multiple":        {with(multiple, [2]string{"X-B3-Sampled", "1"}), "b3", upper + lower, span, keep},
		"b3, multiple, debug": {with(multiple, [2]string{"x-b3-flags", "1"}), "b3", upper + lower, span, keep},
		"b3, not sampled":     {with(multiple, [2]string{"x-b3-sampled", "0"}), "b3", upper + lower, span, drop},
		"b3, deferred":        {multiple, "b3", upper + lower, span, none},
		"b3, word: true":      {with(multiple, [2]string{"x-b3-sampled", "true"}), "b3", upper + lower, span, keep},
		"b3, word: false":     {with(multiple, [2]string{"x-b3-sampled", "false"}), "b3", upper + lower, span, drop},
		"b3, unknown state":   {list{{"b3", lower + "-" + span + "-x"}}, "b3", zeros + lower, span, none},
		"b3, debug wins":      {with(multiple, [2]string{"x-b3-sampled", "0"}, [2]string{"x-b3-flags", "1"}), "b3", upper + lower, span, keep},
		"b3, no debug":        {with(multiple, [2]string{"x-b3-flags", "0"}), "b3", upper + lower, span, none},
		"b3, states disagree": {with(multiple, [2]string{"x-b3-sampled", "0"}, [2]string{"x-b3-sampled", "1"}), "b3", upper + lower, span, none},
		"jaeger":              {list{{"uber-trace-id", upper + lower + ":f067aa0ba902b7:0:1"}}, "jaeger", upper + lower, span, keep},
		"jaeger, 64 bits":     {list{{"Uber-Trace-Id", lower + ":" + span + ":0:0"}}, "jaeger", zeros + lower, span, drop},
		"jaeger, encoded":     {list{{"uber-trace-id", lower + "%3A" + span + "%3A0%3A3"}}, "jaeger", zeros + lower, span, keep},
	} {
		assert.Equal(t, []protocol.TraceContext{contextOf(t, c.propagator, c.traceID, c.spanID, c.decision)}, Extract(c.fields), name)
	}
}

// Ids made of nothing but decimal digits must not be read as hexadecimal, nor the
// other way round.
func TestDatadogIDsAreDecimal(t *testing.T) {
	found := Extract(list{{"x-datadog-trace-id", "1000000000000016"}, {"x-datadog-parent-id", "17"}})
	assert.Equal(t, []protocol.TraceContext{
		contextOf(t, "datadog", zeros+"00038d7ea4c68010", "0000000000000011", none),
	}, found)
	found = Extract(list{{"b3", "1000000000000016-1000000000000017"}})
	assert.Equal(t, []protocol.TraceContext{
		contextOf(t, "b3", zeros+"1000000000000016", "1000000000000017", none),
	}, found)
}

// The upper half of a 128-bit id must not be lost: without it the same trace would
// have another id under W3C.
func TestDatadogKeepsTheUpperHalf(t *testing.T) {
	for _, tags := range []string{
		"_dd.p.tid=" + upper,
		"_dd.p.tid=" + upper + ",_dd.p.dm=-1",
		"_dd.p.dm=-1, _dd.p.tid=" + upper + ",_dd.p.usr.id=x",
	} {
		found := Extract(list{
			{"X-Datadog-Trace-Id", "12379814468735227512"},
			{"X-Datadog-Parent-Id", "67667974448284343"},
			{"X-Datadog-Tags", tags},
		})
		assert.Equal(t, []protocol.TraceContext{contextOf(t, "datadog", upper+lower, span, none)}, found, tags)
	}
}

func TestInvalidFormats(t *testing.T) {
	for name, fields := range map[string]list{
		"datadog, no parent":     {{"x-datadog-trace-id", "1"}},
		"datadog, zero":          {{"x-datadog-trace-id", "0"}, {"x-datadog-parent-id", "1"}},
		"datadog, zero parent":   {{"x-datadog-trace-id", "1"}, {"x-datadog-parent-id", "0"}},
		"datadog, hexadecimal":   {{"x-datadog-trace-id", "ab"}, {"x-datadog-parent-id", "1"}},
		"datadog, too large":     {{"x-datadog-trace-id", "18446744073709551616"}, {"x-datadog-parent-id", "1"}},
		"datadog, twice":         {{"x-datadog-trace-id", "1"}, {"x-datadog-trace-id", "2"}, {"x-datadog-parent-id", "1"}},
		"b3, decision only":      {{"b3", "0"}},
		"b3, odd length":         {{"b3", lower[1:] + "-" + span}},
		"b3, zero":               {{"b3", zeros + "-" + span}},
		"b3, no digits":          {{"b3", "ghcdefab12345678-" + span}},
		"b3, too many parts":     {{"b3", lower + "-" + span + "-1-" + span + "-x"}},
		"b3, multiple, no span":  {{"x-b3-traceid", lower}},
		"b3, multiple, bad span": {{"x-b3-traceid", lower}, {"x-b3-spanid", "1"}},
		"jaeger, too few parts":  {{"uber-trace-id", lower + ":" + span + ":0"}},
		"jaeger, too long":       {{"uber-trace-id", "1" + upper + lower + ":" + span + ":0:1"}},
		"jaeger, bad flags":      {{"uber-trace-id", lower + ":" + span + ":0:x"}},
		"jaeger, empty":          {{"uber-trace-id", ":::"}},
		"jaeger, bad encoding":   {{"uber-trace-id", lower + "%zz"}},
	} {
		assert.Empty(t, Extract(fields), name)
	}
}

// An application may write several formats; each is told apart.
func TestSeveralFormats(t *testing.T) {
	found := Extract(list{
		{"traceparent", "00-" + upper + lower + "-" + span + "-01"},
		{"x-datadog-trace-id", "12379814468735227512"},
		{"x-datadog-parent-id", "67667974448284343"},
		{"x-datadog-tags", "_dd.p.tid=" + upper},
	})
	require.Len(t, found, 2)
	assert.Equal(t, []string{"w3c", "datadog"}, []string{found[0].Propagator, found[1].Propagator})
	assert.Equal(t, found[0].TraceID, found[1].TraceID)
	assert.Equal(t, found[0].SpanID, found[1].SpanID)
}

func FuzzFormats(f *testing.F) {
	f.Add("12379814468735227512", "67667974448284343", "_dd.p.tid="+upper)
	f.Add(lower+"-"+span+"-1", upper+lower, span)
	f.Add(lower+":"+span+":0:1", "", "")
	f.Add(javaSW8, "Root=1-"+xrayRoot+";Parent="+span+";Sampled=?", "")
	f.Add(sw8("0", swUUID, "4f2f27748b8e44ecaf18fe0347194e86.33.", "123"), "Self=;Root=1--;;=", "1")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		for _, names := range [][3]string{
			{"x-datadog-trace-id", "x-datadog-parent-id", "x-datadog-tags"},
			{"b3", "x-b3-traceid", "x-b3-spanid"},
			{"uber-trace-id", "x-b3-sampled", "x-b3-flags"},
			{"sw8", "x-amzn-trace-id", "x-datadog-sampling-priority"},
		} {
			for _, found := range Extract(list{{names[0], a}, {names[1], b}, {names[2], c}}) {
				if found.TraceID == [16]byte{} || found.SpanID == [8]byte{} {
					t.Fatalf("%s gave an id of zero", found.Propagator)
				}
				if keep, decided := found.Sampled(); keep != (found.Flags == 1) || keep && !decided {
					t.Fatalf("%s: flags %d, decided %v", found.Propagator, found.Flags, decided)
				}
			}
		}
	})
}
