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
	if len(parts) > 2 && (parts[2] == "1" || parts[2] == "d") {
		c.Flags = sampled
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
	decision, _ := only(f, "x-b3-sampled")
	debug, _ := only(f, "x-b3-flags")
	if decision == "1" || decision == "true" || debug == "1" {
		c.Flags = sampled
	}
	return c, b3IDs(&c, traceID, spanID)
}

func b3IDs(c *protocol.TraceContext, traceID, spanID string) bool {
	if len(traceID) != 16 && len(traceID) != 32 || len(spanID) != 16 {
		return false
	}
	return hexID(c.TraceID[:], traceID) && hexID(c.SpanID[:], spanID)
}
