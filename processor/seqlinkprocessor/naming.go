package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// nameOf returns the trace id under which seg's spans leave, and publishes it:
// from now on it does not change. seq is the sequence number of the batch that
// asks. A segment that has no name takes the oldest one of its group.
func (x *index) nameOf(seg *segment, seq uint64) name {
	if seg.name.published() {
		return seg.name
	}
	if !seg.group.name.published() {
		seg.group.name = name{trace: x.traceID(seg.group), seq: seq}
	}
	seg.name = seg.group.name
	return seg.name
}

// traceID chooses the trace id of a group from what is known now. It depends on
// the spans alone and not on the order in which they came.
func (x *index) traceID(g *group) pcommon.TraceID {
	root := x.root(g)
	if root == nil {
		return smallestTraceID(g)
	}
	if x.inherit {
		if id, ok := x.inheritedTraceID(g); ok {
			return id
		}
	}
	if root.segment.foreign() || root.id.IsEmpty() {
		return root.trace
	}
	return deriveTraceID(root.id)
}

// root returns the span of g that has no known parent; of several the first by
// compareSpans, but none without an id while there is another. When parents form
// a ring, every span counts.
func (x *index) root(g *group) *span {
	var root, any *span
	for _, seg := range g.segments {
		for _, s := range seg.spans {
			any = firstRoot(any, s)
			if x.parentOf(s) == nil {
				root = firstRoot(root, s)
			}
		}
	}
	if root == nil {
		return any
	}
	return root
}

func firstRoot(a, b *span) *span {
	if a == nil || a.id.IsEmpty() != b.id.IsEmpty() {
		if a == nil || a.id.IsEmpty() {
			return b
		}
		return a
	}
	if compareSpans(b, a) < 0 {
		return b
	}
	return a
}

func smallestTraceID(g *group) pcommon.TraceID {
	smallest := g.segments[0].trace
	for _, seg := range g.segments[1:] {
		if bytes.Compare(seg.trace[:], smallest[:]) < 0 {
			smallest = seg.trace
		}
	}
	return smallest
}

// inheritedTraceID returns the trace id that an application gave to g: that on
// the span nearest to its root, of several the first by compareSpans.
func (x *index) inheritedTraceID(g *group) (pcommon.TraceID, bool) {
	given := appSpans(g)
	if len(given) == 0 {
		return pcommon.TraceID{}, false
	}
	best := given[0]
	if !sameAppTraceID(given) {
		depths := depths{x: x, known: map[*span]int{}}
		best = slices.MinFunc(given, depths.compare)
	}
	id, ok := appTraceID(best)
	return id, ok
}

// appSpans returns the spans of g to which an application gave a trace id.
func appSpans(g *group) []*span {
	var given []*span
	for _, seg := range g.segments {
		for _, s := range seg.spans {
			if _, ok := appTraceID(s); ok {
				given = append(given, s)
			}
		}
	}
	return given
}

func sameAppTraceID(given []*span) bool {
	first, _ := appTraceID(given[0])
	return !slices.ContainsFunc(given, func(s *span) bool {
		id, _ := appTraceID(s)
		return id != first
	})
}

// appTraceID returns the trace id that an application gave to s, by its SDK or
// by the context in the payload.
func appTraceID(s *span) (pcommon.TraceID, bool) {
	if s.segment.foreign() {
		return s.trace, true
	}
	if len(s.contexts) > 0 {
		return s.contexts[0].trace, true
	}
	return pcommon.TraceID{}, false
}

// depths counts the steps from spans to their roots, each span once.
type depths struct {
	x     *index
	known map[*span]int
}

// inRing is the depth of spans whose parents lead in a ring and never to a root.
const inRing = math.MaxInt

func (d *depths) compare(a, b *span) int {
	return cmp.Or(cmp.Compare(d.of(a), d.of(b)), compareSpans(a, b))
}

func (d *depths) of(s *span) int {
	var path []*span
	depth := -1
	for s != nil {
		known, seen := d.known[s]
		if seen {
			depth = known
			break
		}
		d.known[s] = inRing // until the walk ends somewhere else than here
		path = append(path, s)
		s = d.x.parentOf(s)
	}
	for i := len(path) - 1; i >= 0; i-- {
		if depth != inRing {
			depth++
		}
		d.known[path[i]] = depth
	}
	if len(path) == 0 {
		return depth
	}
	return d.known[path[0]]
}

// deriveTraceID makes a trace id from the span id of a trace's root: the id and
// the id xor 0x9e3779b97f4a7c15 (the 64-bit golden ratio), both as big-endian
// numbers through the finaliser of splitmix64. Different roots give different
// trace ids, no root gives the invalid one, and every linker gives the same.
func deriveTraceID(root pcommon.SpanID) pcommon.TraceID {
	const goldenRatio = 0x9e3779b97f4a7c15
	id := binary.BigEndian.Uint64(root[:])
	var t pcommon.TraceID
	binary.BigEndian.PutUint64(t[:8], mix64(id))
	binary.BigEndian.PutUint64(t[8:], mix64(id^goldenRatio))
	return t
}

// mix64 is the finaliser of splitmix64 (Steele, Lea and Flood, "Fast splittable
// pseudorandom number generators", 2014, in Vigna's form): a bijection.
func mix64(z uint64) uint64 {
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}
