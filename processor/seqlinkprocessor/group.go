package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"bytes"
	"cmp"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// segment holds the known spans of one incoming trace id: the provisional id of
// one request in one process, or the trace id of an SDK. A segment without spans
// stands for a trace that is known only from somebody's context.
type segment struct {
	trace pcommon.TraceID
	group *group
	place int // in group.segments
	// spans in order of arrival.
	spans []*span
	// references counts the contexts that name this trace.
	references int
	// kernel is set once one of the spans came from Seqlink's receivers.
	kernel bool
	// name is set once a span left under it; it is never changed.
	name name
}

// name is a published trace id. The zero value is none.
type name struct {
	trace pcommon.TraceID
	// seq is the sequence number of the batch that published the name first.
	seq uint64
}

func (n name) published() bool { return !n.trace.IsEmpty() }

// olderThan orders names by publication; ties go to the smaller trace id.
func (n name) olderThan(other name) bool {
	return cmp.Or(cmp.Compare(n.seq, other.seq), bytes.Compare(n.trace[:], other.trace[:])) < 0
}

// foreign tells whether the trace id was given by an SDK and not by a receiver
// of Seqlink's: such an id is not provisional.
func (s *segment) foreign() bool { return !s.kernel }

// group is a set of segments that belong to one trace: a set of a union-find
// structure with the smaller set relabelled on union, which keeps lookups at one
// step and lets segments be taken out again.
type group struct {
	segments []*segment
	spans    int
	// name is what segments without a name of their own take: the oldest name that
	// was published in this group.
	name name
}

func newGroup(s *segment) *group {
	g := &group{}
	g.insert(s)
	return g
}

func (g *group) insert(s *segment) {
	s.group, s.place = g, len(g.segments)
	g.segments = append(g.segments, s)
}

// remove takes s out of g. Its place is filled by the last segment.
func (g *group) remove(s *segment) {
	last := len(g.segments) - 1
	g.segments[s.place] = g.segments[last]
	g.segments[s.place].place = s.place
	g.segments[last] = nil
	g.segments = g.segments[:last]
	s.group = nil
}

// offer makes n the group's name unless it has an older one.
func (g *group) offer(n name) {
	if n.published() && (!g.name.published() || n.olderThan(g.name)) {
		g.name = n
	}
}

// merge moves the segments of the smaller group into the larger one.
func merge(a, b *group) {
	if len(a.segments) < len(b.segments) {
		a, b = b, a
	}
	for _, s := range b.segments {
		a.insert(s)
	}
	a.spans += b.spans
	a.offer(b.name)
	b.segments = nil
}
