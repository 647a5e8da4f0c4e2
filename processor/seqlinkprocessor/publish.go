package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// recorder makes the record of a batch from what the index knows.
type recorder struct {
	index   *index
	numbers map[handle]int
	record  publication
	// recent is the segment of the last span, and its number.
	recent       handle
	recentNumber int
}

// recordOf returns the publication of spans that are about to leave, with the names
// that their segments have by now. linked are further segments that were named.
func (x *index) recordOf(spans, linked []handle, published time.Time) publication {
	r := recorder{index: x, numbers: make(map[handle]int, len(spans)/2), record: publication{
		published: published, segments: make([]recordedSegment, 0, len(spans)/2), spans: make([]plainSpan, 0, len(spans)),
	}}
	for _, h := range spans {
		if h != spanUnindexed && h != spanDuplicate {
			r.addSpan(x.spans.At(h))
		}
	}
	for _, seg := range linked {
		r.number(seg)
	}
	return r.record
}

// number returns the number of a segment in the record.
func (r *recorder) number(seg handle) int {
	if seg != r.recent {
		r.recent, r.recentNumber = seg, r.lookUp(seg)
	}
	return r.recentNumber
}

func (r *recorder) lookUp(seg handle) int {
	if n, ok := r.numbers[seg]; ok {
		return n
	}
	s := r.index.segments.At(seg)
	published, _ := r.index.publishedName(seg)
	n := len(r.record.segments)
	r.numbers[seg] = n
	r.record.segments = append(r.record.segments, recordedSegment{
		trace: s.trace, kernel: s.has(segmentKernel), name: published, continues: r.index.continues[seg],
	})
	return n
}

func (r *recorder) addSpan(s *span) {
	if s.plain() {
		rec := plainSpan{segment: r.number(s.segment), id: s.id}
		if s.namesParent() && !s.bits.has(spanParentInside) {
			rec.parent = s.parent
		}
		r.record.spans = append(r.record.spans, rec)
		return
	}
	rec := recordedSpan{segment: r.number(s.segment), arrival: arrival{id: s.id}}
	rec.parent, rec.start, rec.end, rec.bits = s.parent, s.start, s.end, s.bits
	rec.kind = ptrace.SpanKind(s.kind)
	r.index.eachContext(s, func(c *listedContext) bool {
		rec.contexts = append(rec.contexts, spanContext{c.ref, c.verdict})
		return true
	})
	r.record.full = append(r.record.full, rec)
}

// restore takes a recorded batch that left into the index and returns its segments.
func (x *index) restore(p *publication) []handle {
	segments := make([]handle, len(p.segments))
	for i := range p.segments {
		segments[i] = x.restoreSegment(&p.segments[i])
	}
	for i := range p.spans {
		s := &p.spans[i]
		x.restorePlain(segments[s.segment], s.id, s.parent)
	}
	for i := range p.full {
		x.restoreFull(segments[p.full[i].segment], &p.full[i].arrival)
	}
	return segments
}

func (x *index) restoreSegment(r *recordedSegment) handle {
	h := x.segmentOf(r.trace)
	s := x.segments.At(h)
	s.batches++
	if r.kernel {
		s.bits |= segmentKernel
	}
	if !r.continues.IsEmpty() {
		s.tag = x.tag(r.continues)
		x.continues[h] = r.continues
	}
	return h
}

// restorePlain takes a span into the index that left and is known by its id alone.
func (x *index) restorePlain(seg handle, id, parent pcommon.SpanID) {
	if own, _ := x.lookup(id, x.segments.At(seg).tag); own != 0 {
		return // recorded twice
	}
	x.groupOf(seg).take(0, 0)
	x.hold(id, segmentRef(seg), seg)
	bits := spanKernel
	x.joinParent(seg, id, parent, &bits)
	x.joinChildren(seg, id)
}

// restoreFull takes a span into the index that left and may still become a parent in
// a chain.
func (x *index) restoreFull(seg handle, a *arrival) {
	own := x.segments.At(seg)
	if known, _ := x.lookup(a.id, own.tag); known != 0 {
		return
	}
	h, s := x.spans.Alloc()
	s.id, s.parent, s.start, s.end = a.id, a.parent, a.start, a.end
	s.kind, s.bits, s.segment = uint8(a.kind), a.bits, seg
	s.next, own.kept = own.kept, h
	x.groupOf(seg).take(s.start, s.end)
	x.listContexts(s, a)
	x.hold(a.id, uint32(h), seg)
	x.joinParent(seg, a.id, a.parent, &s.bits)
	x.joinChildren(seg, a.id)
	x.joinContexts(h, s, a)
}
