package propagation

import (
	"strings"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// B3 reads Zipkin's b3 field, or else its X-B3- fields
// (https://github.com/openzipkin/b3-propagation). Trace ids have 64 or 128 bits.
type B3 struct{}

// Name implements Propagator.
func (B3) Name() string { return "b3" }

// Fields implements Propagator.
func (B3) Fields() []string {
	return []string{
		"b3", "x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags",
	}
}

// Extract implements Propagator.
func (B3) Extract(f Fields) (protocol.TraceContext, bool) {
	if single, ok := only(f, "b3"); ok {
		return b3Single(single)
	}
	return b3Multiple(f)
}

// b3Single reads {trace id}-{span id}[-{sampling state}[-{parent span id}]].
func b3Single(value string) (c protocol.TraceContext, ok bool) {
	parts := strings.Split(value, "-")
	if len(parts) < 2 || len(parts) > 4 {
		return c, false
	}
	if len(parts) > 2 {
		b3Decision(&c, parts[2])
	}
	return c, b3IDs(&c, parts[0], parts[1])
}

func b3Multiple(f Fields) (c protocol.TraceContext, ok bool) {
	traceID, ok := only(f, "x-b3-traceid")
	if !ok {
		return c, false
	}
	spanID, ok := only(f, "x-b3-spanid")
	if !ok {
		return c, false
	}
	if state, ok := only(f, "x-b3-sampled"); ok {
		b3Decision(&c, state)
	}
	if flags, ok := only(f, "x-b3-flags"); ok && flags == "1" {
		c.Decide(true) // Debug implies an accept decision.
	}
	return c, b3IDs(&c, traceID, spanID)
}

// b3Decision reads a sampling state; anything else than those below defers the
// decision. Old tracers write words.
func b3Decision(c *protocol.TraceContext, state string) {
	switch state {
	case "1", "d", "true":
		c.Decide(true)
	case "0", "false":
		c.Decide(false)
	}
}

func b3IDs(c *protocol.TraceContext, traceID, spanID string) bool {
	if len(traceID) != 16 && len(traceID) != 32 || len(spanID) != 16 {
		return false
	}
	return hexID(c.TraceID[:], traceID) && hexID(c.SpanID[:], spanID)
}
