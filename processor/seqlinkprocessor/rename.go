package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/seqlink/seqlink/processor/seqlinkprocessor/internal/sampling"
)

// result counts what became of a batch's spans.
type result struct {
	emitted, duplicates, reparented, orphans, cleared int
	// dropped counts the spans that were left out by a decision on their trace.
	dropped [dropByApp + 1]int
}

// renamer writes into the spans of a batch what the index knows by now.
type renamer struct {
	index   *index
	batch   *batch
	dangler DanglingParents
	sampler sampling.Sampler
	// keepsAll tells that sampling changes nothing.
	keepsAll bool
	next     int // of batch.spans
	// recent is the segment of the last span: the next one often has the same.
	recent struct {
		segment handle
		name    name
		limit   traceLimit
	}
	// linked are the segments that were named because links lead to them.
	linked []handle
	result result
}

// rename visits the spans of td, which are those of the batch in the same order,
// and removes those that are not passed on.
func (r *renamer) rename(td ptrace.Traces) {
	td.ResourceSpans().RemoveIf(func(rs ptrace.ResourceSpans) bool {
		rs.ScopeSpans().RemoveIf(func(ss ptrace.ScopeSpans) bool {
			ss.Spans().RemoveIf(r.visit)
			return ss.Spans().Len() == 0
		})
		return rs.ScopeSpans().Len() == 0
	})
}

// visit renames ps and tells whether it is to be removed.
func (r *renamer) visit(ps ptrace.Span) bool {
	h := r.batch.spans[r.next]
	r.next++
	switch h {
	case spanDuplicate:
		r.result.duplicates++
		return true
	case spanUnindexed:
		r.result.emitted++
		r.renameLinks(ps)
		return false
	}
	s := r.index.spans.At(h)
	n := r.nameOf(s.segment)
	if n.decision != keepTrace {
		r.result.dropped[n.decision]++
		return true
	}
	r.result.emitted++
	r.placeUnderParent(ps, s)
	ps.SetTraceID(n.trace)
	r.inheritState(ps, n)
	if r.recent.limit != noLimit {
		ps.Attributes().PutStr(traceLimitAttribute, r.recent.limit.String())
	}
	r.renameLinks(ps)
	return false
}

func (r *renamer) placeUnderParent(ps ptrace.Span, s *span) {
	if s.bits.has(spanParentKnown) && s.plain() && r.recent.limit == noLimit {
		return // it stands as it is
	}
	if p := r.index.chainedParent(s); p != 0 {
		r.reparent(ps, s, r.index.spans.At(p).id)
		return
	}
	p := r.index.named(s)
	switch {
	case p != 0 && r.index.apart(s, p):
		r.linkTo(ps, p)
		r.clearParent(ps)
	case p != 0:
		s.bits |= spanParentKnown
	case s.parent == s.id && !s.parent.IsEmpty():
		r.orphan(ps)
	case s.namesParent() && !s.bits.has(spanParentKnown) && s.parentIsRemote():
		r.orphan(ps)
	}
}

func (r *renamer) reparent(ps ptrace.Span, s *span, parent pcommon.SpanID) {
	if parent == s.parent {
		return
	}
	ps.SetParentSpanID(parent)
	flags := ps.Flags()&^flagIsRemote | flagHasIsRemote
	if !r.index.isForeign(s) && s.incoming() {
		flags |= flagIsRemote // the one link of the chain that crosses the wire
	}
	ps.SetFlags(flags)
	r.result.reparented++
}

// orphan makes a root of a span whose parent is remote and has not come, or is the
// span itself.
func (r *renamer) orphan(ps ptrace.Span) {
	r.result.orphans++
	if r.dangler == DanglingParentsClear {
		r.clearParent(ps)
		r.result.cleared++
	}
}

func (r *renamer) clearParent(ps ptrace.Span) {
	ps.Attributes().PutStr(danglingParentAttribute, ps.ParentSpanID().String())
	ps.SetParentSpanID(pcommon.SpanID{})
	ps.SetFlags(ps.Flags() &^ (flagHasIsRemote | flagIsRemote))
}

// linkTo keeps the relation to a parent in a trace that could not be joined.
func (r *renamer) linkTo(ps ptrace.Span, p uint32) {
	l := ps.Links().AppendEmpty()
	l.SetTraceID(r.nameLinked(r.index.segmentBehind(p)))
	l.SetSpanID(ps.ParentSpanID())
	l.Attributes().PutStr(traceLimitAttribute, r.index.groupOf(r.index.segmentBehind(p)).limit.String())
}

// nameLinked returns the trace id of a segment that a link leads to.
func (r *renamer) nameLinked(seg handle) pcommon.TraceID {
	r.linked = append(r.linked, seg)
	return r.index.nameOf(seg, r.batch.key.Seq).trace
}

// nameOf returns the name under which a segment's spans leave.
func (r *renamer) nameOf(seg handle) *name {
	if r.recent.segment != seg {
		r.recent.segment = seg
		r.recent.name = r.index.nameOf(seg, r.batch.key.Seq)
		r.recent.limit = r.index.groupOf(seg).limit
	}
	return &r.recent.name
}

// inheritState gives a span the tracestate and the sampled flag of the context in it
// whose trace it joins, and writes down with which probability the trace was kept.
func (r *renamer) inheritState(ps ptrace.Span, n *name) {
	for _, l := range ps.Links().All() {
		if l.TraceID() != n.trace || !isContext(l) {
			continue
		}
		if ps.TraceState().AsRaw() == "" {
			ps.TraceState().FromRaw(l.TraceState().AsRaw())
		}
		ps.SetFlags(ps.Flags() | l.Flags()&0xff)
		break
	}
	if state := ps.TraceState().AsRaw(); state != "" || !r.keepsAll {
		ps.TraceState().FromRaw(r.sampler.TraceState(state, n.trace, n.randomness, n.explicit))
	}
}

// renameLinks lets links to spans with provisional trace ids follow them to their
// published ones. Links that are an application's context stay as they are.
func (r *renamer) renameLinks(ps ptrace.Span) {
	for _, l := range ps.Links().All() {
		if isContext(l) {
			continue
		}
		h := r.index.findSegment(l.TraceID())
		if h == 0 {
			continue
		}
		if seg := r.index.segments.At(h); !seg.foreign() || seg.has(segmentPublished) {
			l.SetTraceID(r.nameLinked(h))
		}
	}
}
