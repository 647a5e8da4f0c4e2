package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import "go.opentelemetry.io/collector/pdata/pcommon"

// segment holds the known spans of one incoming trace id: the provisional id of
// one request in one process, or the trace id of an SDK. A segment without spans
// stands for a trace that is known only from somebody's context.
type segment struct {
	trace pcommon.TraceID
	// group is the group or one that was merged into it; see index.groupOf.
	group handle
	// previous and next are its neighbours in the ring of its group.
	previous, next handle
	// spans lists those that wait, or left while others of the segment wait; kept,
	// those that left and are needed in full.
	spans, kept handle
	// waiting counts the spans that wait.
	waiting uint32
	// batches counts the batches with spans of it that left and are remembered.
	batches uint32
	// references counts the contexts that name this trace.
	references uint32
	// ids counts its entries in the index's table of span ids, which carry tag.
	ids uint32
	tag uint32

	bits segmentBits
}

type segmentBits uint8

const (
	// segmentKernel is set once one of the spans came from Seqlink's receivers.
	segmentKernel segmentBits = 1 << iota
	// segmentPublished is set once a span left under the segment's name.
	segmentPublished
	// segmentTouched marks the segments of a batch while it is walked.
	segmentTouched
)

func (s *segment) has(bit segmentBits) bool { return s.bits&bit != 0 }

// foreign tells whether the trace id was given by an SDK and not by a receiver
// of Seqlink's: such an id is not provisional.
func (s *segment) foreign() bool { return !s.has(segmentKernel) }

// attach makes s a span of the segment seg.
func (x *index) attach(h handle, s *span, seg handle) {
	owner := x.segments.At(seg)
	g := x.groupOf(seg)
	if owner.waiting == 0 && owner.batches == 0 && g.spans > 0 {
		x.onJoin(joinAppContext) // a trace known from a context only turned out to have spans
	}
	s.segment, s.next = seg, owner.spans
	owner.spans = h
	owner.waiting++
	if s.bits.has(spanKernel) {
		owner.bits |= segmentKernel
	}
	g.take(s.start, s.end)
}

// findSegment returns the segment of a trace id, or 0.
func (x *index) findSegment(trace pcommon.TraceID) (found handle) {
	x.traces.All(x.traceKey(trace), func(e entry) bool {
		if h := handle(e.Ref); x.segments.At(h).trace == trace {
			found = h
		}
		return found == 0
	})
	return found
}

// segmentOf returns the segment of a trace id, a new one when there is none.
func (x *index) segmentOf(trace pcommon.TraceID) handle {
	if h := x.findSegment(trace); h != 0 {
		return h
	}
	h, s := x.segments.Alloc()
	s.trace, s.tag = trace, x.tag(trace)
	x.newGroup(h, s)
	x.traces.Insert(entry{ID: x.traceKey(trace), Ref: uint32(h)})
	return h
}

// collapse forgets the spans of a segment of which none waits, but for the ids of
// plain ones.
func (x *index) collapse(h handle) {
	s := x.segments.At(h)
	for at := s.spans; at != 0; {
		left := x.spans.At(at)
		next := left.next
		if left.plain() {
			x.spans.Free(at)
		} else {
			left.next, s.kept = s.kept, at
		}
		at = next
	}
	s.spans = 0
}

// forgetSegment ends what is known of a segment whose last batch is forgotten.
func (x *index) forgetSegment(h handle) {
	s := x.segments.At(h)
	if s.batches > 0 || s.waiting > 0 {
		return
	}
	kept := s.kept
	x.known -= int(s.ids)
	s.kept, s.ids = 0, 0
	for at := kept; at != 0; {
		next := x.spans.At(at).next
		x.dropSpan(at)
		at = next
	}
	x.dropEmpty(h)
}

// dropSpan frees a span and what it refers to.
func (x *index) dropSpan(h handle) {
	s := x.spans.At(h)
	x.unlist(h, s)
	for c := s.contexts; c != 0; {
		next := x.contexts.At(c).next
		if named := x.findSegment(x.contexts.At(c).ref.trace); x.inherit && named != 0 {
			x.segments.At(named).references--
			if named != s.segment {
				x.dropEmpty(named)
			}
		}
		x.contexts.Free(c)
		c = next
	}
	x.spans.Free(h)
}

// dropEmpty frees a segment that nobody knows or names any more.
func (x *index) dropEmpty(h handle) {
	s := x.segments.At(h)
	if s.batches > 0 || s.waiting > 0 || s.references > 0 || s.ids > 0 || s.kept != 0 {
		return
	}
	x.traces.Delete(x.traceKey(s.trace), uint32(h))
	delete(x.ownNames, h)
	delete(x.randomness, h)
	delete(x.continued, s.trace)
	delete(x.continues, h)
	x.leaveGroup(h, s)
	x.segments.Free(h)
}
