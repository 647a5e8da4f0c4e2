package propagation

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	otel "go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

type list [][2]string

func (l list) Values(name string) (values []string) {
	for _, field := range l {
		if strings.EqualFold(field[0], name) {
			values = append(values, field[1])
		}
	}
	return values
}

const (
	traceID = "0af7651916cd43dd8448eb211c80319c"
	spanID  = "b7ad6b7169203331"
	parent  = "00-" + traceID + "-" + spanID + "-01"
)

func TestW3C(t *testing.T) {
	want := protocol.TraceContext{Propagator: "w3c", Flags: 1, Decided: true}
	id, err := trace.TraceIDFromHex(traceID)
	require.NoError(t, err)
	span, err := trace.SpanIDFromHex(spanID)
	require.NoError(t, err)
	want.TraceID, want.SpanID = id, span

	with := func(flags byte, state string) protocol.TraceContext {
		c := want
		c.Flags, c.TraceState = flags, state
		return c
	}
	valid := map[string]struct {
		fields list
		want   protocol.TraceContext
	}{
		"plain":              {list{{"traceparent", parent}}, want},
		"Go's spelling":      {list{{"Traceparent", parent}}, want},
		"white space":        {list{{"traceparent", " " + parent + "\t"}}, want},
		"all capitals":       {list{{"TRACEPARENT", parent}}, want},
		"flags 01":           {list{{"traceparent", parent[:53] + "01"}}, with(1, "")},
		"flags 00":           {list{{"traceparent", parent[:53] + "00"}}, with(0, "")},
		"flags 03, random":   {list{{"traceparent", parent[:53] + "03"}}, with(3, "")},
		"other flags":        {list{{"traceparent", parent[:53] + "ff"}}, with(0xff, "")},
		"future version":     {list{{"traceparent", "cc" + parent[2:]}}, want},
		"more of the future": {list{{"traceparent", "01" + parent[2:] + "-what-the-future"}}, want},
		"state":              {list{{"traceparent", parent}, {"TraceState", "a=1,b=2"}}, with(1, "a=1,b=2")},
		"states":             {list{{"tracestate", "a=1"}, {"traceparent", parent}, {"tracestate", "b=2"}}, with(1, "a=1,b=2")},
		"bad state":          {list{{"traceparent", parent}, {"tracestate", "a=1,a=2"}}, want},
	}
	for name, tt := range valid {
		assert.Equal(t, []protocol.TraceContext{tt.want}, Extract(tt.fields), name)
	}
}

// The flags are two hexadecimal digits, of which the lowest bit is the decision.
func TestW3CFlagsAreTwoDigits(t *testing.T) {
	for flags, sampled := range map[string]bool{"00": false, "01": true, "02": false, "03": true, "ff": true} {
		found := Extract(list{{"traceparent", parent[:53] + flags}})
		require.Len(t, found, 1, flags)
		keep, decided := found[0].Sampled()
		assert.True(t, decided, flags)
		assert.Equal(t, sampled, keep, flags)
	}
	for _, flags := range []string{"0", "1", "", "1 ", "0x1", "-1"} {
		assert.Empty(t, Extract(list{{"traceparent", parent[:53] + flags}}), flags)
	}
}

func TestW3CInvalid(t *testing.T) {
	for _, value := range []string{
		"",
		parent[:54],
		parent + "0",
		parent + "-01",
		"ff" + parent[2:],
		"01" + parent[2:] + ".",
		"0g" + parent[2:],
		strings.ToUpper(parent),
		strings.Replace(parent, traceID, strings.Repeat("0", 32), 1),
		strings.Replace(parent, spanID, strings.Repeat("0", 16), 1),
		strings.Replace(parent, "-b7", "_b7", 1),
		parent[:54] + "x",
	} {
		assert.Empty(t, Extract(list{{"traceparent", value}}), value)
	}
	assert.Empty(t, Extract(list{{"traceparent", parent}, {"Traceparent", parent}}), "two of them")
	assert.Empty(t, Extract(list{{"tracestate", "a=1"}}))
}

// FuzzW3C compares with the propagator of OpenTelemetry's SDK.
func FuzzW3C(f *testing.F) {
	f.Add(parent, "a=1")
	f.Add("cc"+parent[2:]+"-x", "a=1,b=2")
	f.Add("ff"+parent[2:], "")
	f.Fuzz(func(t *testing.T, parent, state string) {
		got := Extract(list{{"traceparent", parent}, {"tracestate", state}})
		carrier := otel.MapCarrier{"traceparent": strings.Trim(parent, " \t"), "tracestate": state}
		want := trace.SpanContextFromContext(otel.TraceContext{}.Extract(context.Background(), carrier))
		if !want.IsValid() {
			return // The SDK refuses some that the specification allows, such as unknown flags.
		}
		require.Len(t, got, 1)
		assert.Equal(t, want.TraceID(), trace.TraceID(got[0].TraceID))
		assert.Equal(t, want.SpanID(), trace.SpanID(got[0].SpanID))
		assert.Equal(t, want.IsSampled(), got[0].Flags&1 == 1)
		assert.Equal(t, want.TraceState().String(), got[0].TraceState)
	})
}
