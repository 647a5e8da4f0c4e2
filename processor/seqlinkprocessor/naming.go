package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// nameOf returns the name under which a segment's spans leave, and publishes it:
// from now on it does not change. seq is the sequence number of the batch that
// asks. A segment that has no name takes the oldest one of its group.
func (x *index) nameOf(seg handle, seq uint64) name {
	if n, ok := x.publishedName(seg); ok {
		return n
	}
	g := x.groupOf(seg)
	if !g.name.published() {
		g.name = name{trace: x.traceID(g), seq: seq}
		x.decide(g)
		x.onName(int(g.spans))
	}
	x.segments.At(seg).bits |= segmentPublished
	return g.name
}

// publishedName returns the name under which spans of a segment left.
func (x *index) publishedName(seg handle) (name, bool) {
	if !x.segments.At(seg).has(segmentPublished) {
		return name{}, false
	}
	if n, ok := x.ownNames[seg]; ok {
		return n, true
	}
	return x.groupOf(seg).name, true
}

// uniteNames gives g the older name of two groups that become one. Segments that
// were published under the other one keep it.
func (x *index) uniteNames(g, other *group) {
	if g.name == other.name || !other.name.published() {
		return
	}
	if !g.name.published() {
		g.name = other.name
		return
	}
	if g.name.olderThan(other.name) {
		x.keepNames(other)
		return
	}
	x.keepNames(g)
	g.name = other.name
}

// keepNames lets the published segments of a group keep its name while the group
// takes another one.
func (x *index) keepNames(g *group) {
	x.eachSegment(g, func(h handle, s *segment) {
		if _, own := x.ownNames[h]; s.has(segmentPublished) && !own {
			x.ownNames[h] = g.name
		}
	})
}

// restoreName gives a segment the name under which its spans left before a restart.
func (x *index) restoreName(seg handle, n name) {
	s, g := x.segments.At(seg), x.groupOf(seg)
	if s.has(segmentPublished) {
		return // a later record of the same segment
	}
	if g.name.published() && n != g.name && n.olderThan(g.name) {
		x.keepNames(g)
		g.name = n
	}
	if !g.name.published() {
		g.name = n
	}
	s.bits |= segmentPublished
	if n != g.name {
		x.ownNames[seg] = n
	}
}

// traceID chooses the trace id of a group from what is known now. It depends on
// the spans alone and not on the order in which they came.
func (x *index) traceID(g *group) pcommon.TraceID {
	root := x.root(g)
	if root == nil {
		return x.smallestTraceID(g)
	}
	if x.inherit {
		if id, ok := x.inheritedTraceID(g); ok {
			return id
		}
	}
	s := x.segments.At(root.segment)
	if s.foreign() || root.id.IsEmpty() {
		return s.trace
	}
	if own, first := x.lookup(root.id, s.tag); own != first {
		return continuationTraceID(s.trace, 0) // another trace has a span of this id
	}
	return deriveTraceID(root.id)
}

// eachSpan calls f with the spans of a group that was not named yet: none has left.
func (x *index) eachSpan(g *group, f func(*segment, *span)) {
	x.eachSegment(g, func(_ handle, seg *segment) {
		for h := seg.spans; h != 0; {
			s := x.spans.At(h)
			f(seg, s)
			h = s.next
		}
	})
}

// root returns the span of g that has no known parent; of several the first by
// compareSpans, but none without an id while there is another. When parents form
// a ring, every span counts.
func (x *index) root(g *group) *span {
	var root, any *span
	x.eachSpan(g, func(_ *segment, s *span) {
		any = x.firstRoot(any, s)
		if !x.hasParent(s) {
			root = x.firstRoot(root, s)
		}
	})
	if root == nil {
		return any
	}
	return root
}

func (x *index) firstRoot(a, b *span) *span {
	if a == nil || a.id.IsEmpty() != b.id.IsEmpty() {
		if a == nil || a.id.IsEmpty() {
			return b
		}
		return a
	}
	if x.compareSpans(b, a) < 0 {
		return b
	}
	return a
}

func (x *index) smallestTraceID(g *group) pcommon.TraceID {
	var smallest pcommon.TraceID
	x.eachSegment(g, func(_ handle, s *segment) {
		if smallest.IsEmpty() || bytes.Compare(s.trace[:], smallest[:]) < 0 {
			smallest = s.trace
		}
	})
	return smallest
}

// inheritedTraceID returns the trace id that an application gave to g: that on
// the span nearest to its root, of several the first by compareSpans.
func (x *index) inheritedTraceID(g *group) (pcommon.TraceID, bool) {
	var given []*span
	same := true
	x.eachSpan(g, func(_ *segment, s *span) {
		id, ok := x.appTraceID(s)
		if !ok {
			return
		}
		if len(given) > 0 {
			first, _ := x.appTraceID(given[0])
			same = same && id == first
		}
		given = append(given, s)
	})
	if len(given) == 0 {
		return pcommon.TraceID{}, false
	}
	if same {
		return x.appTraceID(given[0])
	}
	return x.appTraceID(x.nearestToRoot(g, given))
}

func (x *index) nearestToRoot(g *group, spans []*span) *span {
	d := depths{x: x, known: map[*span]int{}, plain: map[plainKey]*span{}}
	x.eachSpan(g, func(_ *segment, s *span) {
		if s.plain() {
			d.plain[plainKey{s.segment, s.id}] = s
		}
	})
	best := spans[0]
	for _, s := range spans[1:] {
		if d.compare(s, best) < 0 {
			best = s
		}
	}
	return best
}

// appTraceID returns the trace id that an application gave to s, by its SDK or
// by the context in the payload.
func (x *index) appTraceID(s *span) (pcommon.TraceID, bool) {
	if seg := x.segments.At(s.segment); seg.foreign() {
		return seg.trace, true
	}
	if s.contexts == 0 {
		return pcommon.TraceID{}, false
	}
	trace := x.contexts.At(s.contexts).ref.trace
	if x.groupOf(s.segment).limit != noLimit {
		// The trace of that id may have had no room for this one.
		named := x.findSegment(trace)
		return trace, named != 0 && x.rootOf(named) == x.rootOf(s.segment)
	}
	return trace, true
}

// depths counts the steps from spans to their roots, each span once.
type depths struct {
	x     *index
	known map[*span]int
	// plain has the spans that the index knows by their segments only.
	plain map[plainKey]*span
}

type plainKey struct {
	segment handle
	id      pcommon.SpanID
}

func (d *depths) parentOf(s *span) *span {
	p := d.x.parentOf(s)
	if p&segmentMark != 0 {
		return d.plain[plainKey{d.x.segmentBehind(p), s.parent}]
	}
	return d.x.spanBehind(p)
}

// inRing is the depth of spans whose parents lead in a ring and never to a root.
const inRing = math.MaxInt

func (d *depths) compare(a, b *span) int {
	return cmp.Or(cmp.Compare(d.of(a), d.of(b)), d.x.compareSpans(a, b))
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
		s = d.parentOf(s)
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
