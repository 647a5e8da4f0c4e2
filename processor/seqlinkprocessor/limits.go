package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"encoding/binary"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// traceLimit is a bound that a trace met, so that it does not grow any more.
type traceLimit uint8

const (
	noLimit traceLimit = iota
	limitDuration
	limitSpans
)

// String returns the name of the setting.
func (l traceLimit) String() string {
	return [...]string{noLimit: "", limitDuration: "max_trace_duration", limitSpans: "max_spans_per_trace"}[l]
}

// refuse tells whether two groups would be too large as one; then both are marked.
func (x *index) refuse(a, b *group) bool {
	start, end := a.widened(b.start, b.end)
	limit := x.exceeded(int(a.spans)+int(b.spans), start, end)
	if limit == noLimit {
		return false
	}
	x.limit(a, limit)
	x.limit(b, limit)
	return true
}

// exceeded returns the bound that a trace of this size is beyond. A trace of one
// span, or known from a context only, never is.
func (x *index) exceeded(spans int, start, end pcommon.Timestamp) traceLimit {
	switch {
	case x.maxSpans > 0 && spans > x.maxSpans:
		return limitSpans
	case x.maxDuration > 0 && spread(start, end) > x.maxDuration:
		return limitDuration
	}
	return noLimit
}

func (x *index) limit(g *group, limit traceLimit) {
	if g.limit == noLimit && g.spans > 0 {
		x.onLimit(limit)
	}
	g.limit = max(g.limit, limit)
}

// segmentFor returns the segment in which a span has room: that of its trace id, or
// first, or one that goes on where that one is full.
func (x *index) segmentFor(a *arrival, first handle) handle {
	seg := first
	for n := x.continued[a.trace]; ; n++ {
		if n > 0 {
			seg = x.continuation(a.trace, n)
		}
		g := x.groupOf(seg)
		start, end := g.widened(a.start, a.end)
		limit := x.exceeded(int(g.spans)+1, start, end)
		if limit == noLimit || g.spans == 0 {
			if n > 0 {
				x.continued[a.trace] = n
			}
			return seg
		}
		x.limit(g, limit)
	}
}

// continuation returns the nth segment that goes on for a trace id.
func (x *index) continuation(trace pcommon.TraceID, n uint32) handle {
	h := x.segmentOf(continuationTraceID(trace, n))
	s := x.segments.At(h)
	s.tag = x.tag(trace)
	s.bits |= x.segments.At(x.segmentOf(trace)).bits & segmentKernel
	x.continues[h] = trace
	return h
}

// continuationTraceID makes the trace id of a segment that goes on for another one.
// Every linker makes the same.
func continuationTraceID(trace pcommon.TraceID, n uint32) pcommon.TraceID {
	var t pcommon.TraceID
	binary.BigEndian.PutUint64(t[:8], mix64(binary.BigEndian.Uint64(trace[:8])^uint64(n)))
	binary.BigEndian.PutUint64(t[8:], mix64(binary.BigEndian.Uint64(trace[8:])+uint64(n)))
	return t
}
