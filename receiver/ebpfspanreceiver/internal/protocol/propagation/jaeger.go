package propagation

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// Jaeger reads uber-trace-id, {trace id}:{span id}:{parent span id}:{flags}, whose
// ids have no leading zeros and whose colons may be percent-encoded. The lowest bit
// of the flags is the sampling decision
// (https://www.jaegertracing.io/sdk-migration/#propagation-format).
type Jaeger struct{}

// Name implements Propagator.
func (Jaeger) Name() string { return "jaeger" }

// Fields implements Propagator.
func (Jaeger) Fields() []string {
	return []string{"uber-trace-id"}
}

// Extract implements Propagator.
func (Jaeger) Extract(f Fields) (c protocol.TraceContext, ok bool) {
	value, ok := only(f, "uber-trace-id")
	if !ok {
		return c, false
	}
	if value, err := url.QueryUnescape(value); err == nil {
		return jaegerContext(value)
	}
	return c, false
}

func jaegerContext(value string) (c protocol.TraceContext, ok bool) {
	parts := strings.Split(value, ":")
	if len(parts) != 4 {
		return c, false
	}
	flags, err := strconv.ParseUint(parts[3], 16, 8)
	if err != nil {
		return c, false
	}
	c.Decide(flags&1 != 0)
	return c, hexID(c.TraceID[:], parts[0]) && hexID(c.SpanID[:], parts[1])
}
