package propagation

import (
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// Datadog reads x-datadog-trace-id and x-datadog-parent-id, which are decimal
// numbers of 64 bits. The upper half of a 128-bit trace id is _dd.p.tid in
// x-datadog-tags, in hexadecimal digits
// (https://docs.datadoghq.com/tracing/guide/span_and_trace_id_format/). A decision
// is x-datadog-sampling-priority, which keeps the trace where it is above zero.
type Datadog struct{}

// Name implements Propagator.
func (Datadog) Name() string { return "datadog" }

// Fields implements Propagator.
func (Datadog) Fields() []string {
	return []string{
		"x-datadog-trace-id", "x-datadog-parent-id", "x-datadog-tags", "x-datadog-sampling-priority",
	}
}

// Extract implements Propagator.
func (Datadog) Extract(f Fields) (c protocol.TraceContext, ok bool) {
	low, ok := decimalID(f, "x-datadog-trace-id")
	if !ok {
		return c, false
	}
	parent, ok := decimalID(f, "x-datadog-parent-id")
	if !ok {
		return c, false
	}
	binary.BigEndian.PutUint64(c.TraceID[8:], low)
	binary.BigEndian.PutUint64(c.SpanID[:], parent)
	if tags, ok := only(f, "x-datadog-tags"); ok {
		upperHalf(c.TraceID[:8], tags)
	}
	if priority, ok := only(f, "x-datadog-sampling-priority"); ok {
		if n, err := strconv.Atoi(priority); err == nil {
			c.Decide(n > 0)
		}
	}
	return c, true
}

func decimalID(f Fields, name string) (uint64, bool) {
	value, ok := only(f, name)
	if !ok {
		return 0, false
	}
	id, err := strconv.ParseUint(value, 10, 64)
	return id, err == nil && id != 0
}

// upperHalf fills half from the tag _dd.p.tid, which has 16 digits; anything else
// is ignored.
func upperHalf(half []byte, tags string) {
	for tag := range strings.SplitSeq(tags, ",") {
		digits, ok := strings.CutPrefix(trim(tag), "_dd.p.tid=")
		if ok && len(digits) == 2*len(half) && !hexID(half, digits) {
			clear(half)
		}
	}
}
