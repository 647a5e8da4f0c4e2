package propagation

import (
	"strings"

	"go.opentelemetry.io/otel/trace"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// W3C reads traceparent and tracestate by https://www.w3.org/TR/trace-context/. A
// traceparent always carries a sampling decision.
type W3C struct{}

// Name implements Propagator.
func (W3C) Name() string { return "w3c" }

// Fields implements Propagator.
func (W3C) Fields() []string {
	return []string{"traceparent", "tracestate"}
}

// Extract implements Propagator. More than one traceparent is none; a tracestate
// that is not valid does not spoil the traceparent.
func (W3C) Extract(f Fields) (protocol.TraceContext, bool) {
	parents := f.Values("traceparent")
	if len(parents) != 1 {
		return protocol.TraceContext{}, false
	}
	c, ok := parseTraceParent(trim(parents[0]))
	if ok {
		c.TraceState = traceState(f.Values("tracestate"))
	}
	return c, ok
}

// Places in a traceparent of version 00: 2 digits of version, 32 of trace id, 16
// of parent id, 2 of flags, with a dash after all but the last.
const (
	traceIDAt   = 3
	parentIDAt  = traceIDAt + 32 + 1
	flagsAt     = parentIDAt + 16 + 1
	parentBytes = flagsAt + 2
)

// parseTraceParent reads a traceparent. Versions above 00 may be longer, with a
// dash after the flags, and are read as 00 otherwise. Version ff is forbidden.
func parseTraceParent(s string) (c protocol.TraceContext, ok bool) {
	if len(s) < parentBytes || s[traceIDAt-1] != '-' || s[parentIDAt-1] != '-' || s[flagsAt-1] != '-' {
		return c, false
	}
	var version, flags [1]byte
	if !hexBytes(version[:], s) || !hexBytes(flags[:], s[flagsAt:]) ||
		!hexBytes(c.TraceID[:], s[traceIDAt:]) || !hexBytes(c.SpanID[:], s[parentIDAt:]) {
		return c, false
	}
	if !lengthFits(version[0], s) || c.TraceID == [16]byte{} || c.SpanID == [8]byte{} {
		return c, false
	}
	c.Flags, c.Decided = flags[0], true
	return c, true
}

func lengthFits(version byte, s string) bool {
	switch version {
	case 0:
		return len(s) == parentBytes
	case 0xff:
		return false
	default:
		return len(s) == parentBytes || s[parentBytes] == '-'
	}
}

// hexBytes fills b from the hexadecimal digits at the start of s, which is long
// enough. Upper case is not allowed in a traceparent.
func hexBytes(b []byte, s string) bool {
	for i := range b {
		high, ok1 := digit(s[2*i])
		low, ok2 := digit(s[2*i+1])
		if !ok1 || !ok2 {
			return false
		}
		b[i] = high<<4 | low
	}
	return true
}

func digit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}

// traceState joins the members of all tracestate fields, or returns nothing
// where they are not valid.
func traceState(values []string) string {
	if len(values) == 0 {
		return ""
	}
	state, err := trace.ParseTraceState(strings.Join(values, ","))
	if err != nil {
		return ""
	}
	return state.String()
}
