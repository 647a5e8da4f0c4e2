package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"bytes"
	"cmp"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// group is a set of segments that belong to one trace: a node of a union-find
// structure (Tarjan and van Leeuwen, "Worst-case analysis of set union algorithms",
// 1984). What is said of a group is true of the root node of its set.
type group struct {
	// up is the node that this one was merged into; 0 for a root.
	up handle
	// references counts the segments and nodes that point here. A node that nobody
	// points to is freed.
	references uint32
	// ring is one of the segments; the others follow in a ring.
	ring handle
	// segments counts those in the ring.
	segments uint32
	// spans counts all spans that ever came, forgotten ones included.
	spans uint32
	// limit says why the group does not grow.
	limit traceLimit
	// start and end bound the times of its spans; 0 when none has a time.
	start, end pcommon.Timestamp
	// name is the oldest that was published in this group.
	name name
}

// name is a published trace id. The zero value is none.
type name struct {
	trace pcommon.TraceID
	// seq is the sequence number of the batch that published the name first.
	seq uint64
	// randomness is the explicit randomness by which the trace was decided, if any.
	randomness uint64
	explicit   bool
	// decision says whether the trace is passed on.
	decision decision
}

// decision says whether a trace is passed on. It is made with the name, once and
// for all of its spans.
type decision uint8

const (
	keepTrace decision = iota
	// dropBySampling: sampling_rate leaves the trace out.
	dropBySampling
	// dropByApp: the application decided so, and honor_app_sampling is set.
	dropByApp
)

func (n name) published() bool { return !n.trace.IsEmpty() }

// olderThan orders names by publication; ties go to the smaller trace id.
func (n name) olderThan(other name) bool {
	return cmp.Or(cmp.Compare(n.seq, other.seq), bytes.Compare(n.trace[:], other.trace[:])) < 0
}

// take counts a span and widens the group's time by its.
func (g *group) take(start, end pcommon.Timestamp) {
	g.spans++
	g.start, g.end = g.widened(start, end)
}

// widened returns the times of g together with those of others; 0 is no time.
func (g *group) widened(start, end pcommon.Timestamp) (pcommon.Timestamp, pcommon.Timestamp) {
	end = max(start, end, g.end)
	if start == 0 || g.start != 0 && g.start < start {
		start = g.start
	}
	return start, end
}

func (x *index) newGroup(h handle, s *segment) {
	root, g := x.groups.Alloc()
	g.references, g.ring, g.segments = 1, h, 1
	s.group, s.previous, s.next = root, h, h
}

// rootOf returns the root node of a segment's set, and lets everything on the way
// point to it from now on.
func (x *index) rootOf(h handle) handle {
	s := x.segments.At(h)
	root := s.group
	for up := x.groups.At(root).up; up != 0; up = x.groups.At(root).up {
		root = up
	}
	node := s.group
	if node == root {
		return root
	}
	s.group = root
	x.groups.At(root).references++
	for node != root {
		node = x.shorten(node, root)
	}
	return root
}

// shorten takes one reference from a node on the way to root, lets the node point
// to root or frees it, and returns the node that it pointed to if that one has to be
// treated likewise, or else root.
func (x *index) shorten(node, root handle) handle {
	n := x.groups.At(node)
	up := n.up
	n.references--
	if n.references == 0 {
		x.groups.Free(node)
		if up == root {
			x.groups.At(root).references--
		}
		return up
	}
	if up == root {
		return root
	}
	n.up = root
	x.groups.At(root).references++
	return up
}

// groupOf returns the root of a segment's set.
func (x *index) groupOf(h handle) *group { return x.groups.At(x.rootOf(h)) }

// merge unites two sets. The larger one's root stays.
func (x *index) merge(a, b handle) {
	ga, gb := x.groups.At(a), x.groups.At(b)
	if ga.segments < gb.segments {
		a, ga, gb = b, gb, ga
	}
	x.uniteNames(ga, gb)
	x.splice(ga.ring, gb.ring)
	ga.segments += gb.segments
	ga.spans += gb.spans
	ga.start, ga.end = ga.widened(gb.start, gb.end)
	ga.limit = max(ga.limit, gb.limit)
	gb.up = a
	ga.references++
}

// splice makes one ring of two.
func (x *index) splice(a, b handle) {
	sa, sb := x.segments.At(a), x.segments.At(b)
	behindA, behindB := sa.next, sb.next
	sa.next, x.segments.At(behindB).previous = behindB, a
	sb.next, x.segments.At(behindA).previous = behindA, b
}

// eachSegment calls f with every segment of a group.
func (x *index) eachSegment(g *group, f func(handle, *segment)) {
	h := g.ring
	for range g.segments {
		s := x.segments.At(h)
		f(h, s)
		h = s.next
	}
}

// leaveGroup takes a segment out of its set.
func (x *index) leaveGroup(h handle, s *segment) {
	root := x.rootOf(h)
	g := x.groups.At(root)
	x.segments.At(s.previous).next = s.next
	x.segments.At(s.next).previous = s.previous
	if g.ring == h {
		g.ring = s.next
	}
	g.segments--
	g.references--
	if g.references == 0 {
		x.groups.Free(root)
	}
}

// spread returns how long a trace with these bounds takes.
func spread(start, end pcommon.Timestamp) time.Duration {
	if start == 0 || end < start {
		return 0
	}
	return time.Duration(min(uint64(end-start), 1<<63-1))
}
