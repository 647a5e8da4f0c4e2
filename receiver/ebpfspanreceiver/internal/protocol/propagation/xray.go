package propagation

import (
	"strings"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// XRay reads AWS X-Ray's X-Amzn-Trace-Id, whose parts come in any order:
// Root=1-{8 digits}-{24 digits};Parent={16 digits};Sampled={0, 1 or ?}
// (https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader).
// A question mark asks the receiver to decide. Other parts, such as Self of a load
// balancer and Lineage of Lambda, are passed over.
type XRay struct{}

// Name implements Propagator.
func (XRay) Name() string { return "xray" }

// Fields implements Propagator.
func (XRay) Fields() []string {
	return []string{"x-amzn-trace-id"}
}

// Extract implements Propagator. A header without Parent, which a load balancer
// makes, names no span and is no context.
func (XRay) Extract(f Fields) (c protocol.TraceContext, ok bool) {
	value, ok := only(f, "x-amzn-trace-id")
	if !ok {
		return c, false
	}
	root, parent := xrayPart(value, "Root"), xrayPart(value, "Parent")
	switch xrayPart(value, "Sampled") {
	case "1":
		c.Decide(true)
	case "0":
		c.Decide(false)
	}
	return c, xrayTraceID(c.TraceID[:], root) && len(parent) == 16 && hexID(c.SpanID[:], parent)
}

// xrayPart returns the content of the one part of value called name; none and
// several are nothing.
func xrayPart(value, name string) string {
	var found []string
	for part := range strings.SplitSeq(value, ";") {
		if key, content, _ := strings.Cut(part, "="); trim(key) == name {
			found = append(found, trim(content))
		}
	}
	if len(found) != 1 {
		return ""
	}
	return found[0]
}

// xrayTraceID fills id from a trace id of version 1: 8 digits of time and 24 of
// identifier.
func xrayTraceID(id []byte, root string) bool {
	parts := strings.Split(root, "-")
	if len(parts) != 3 || parts[0] != "1" || len(parts[1]) != 8 || len(parts[2]) != 24 {
		return false
	}
	return hexID(id, parts[1]+parts[2])
}
