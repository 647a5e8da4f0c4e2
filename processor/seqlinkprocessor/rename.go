package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// result counts what became of a batch's spans.
type result struct {
	emitted, duplicates, reparented, cleared int
}

// renamer writes into the spans of a batch what the index knows by now.
type renamer struct {
	index   *index
	batch   *batch
	dangler DanglingParents
	next    int // of batch.spans
	names   []segmentName
	named   map[*segment]bool
	result  result
}

func newRenamer(x *index, b *batch, dangling DanglingParents) *renamer {
	return &renamer{index: x, batch: b, dangler: dangling, named: map[*segment]bool{}}
}

// rename visits the spans of td, which are those of the batch in the same order,
// and removes the duplicates.
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
	s := &r.batch.spans[r.next]
	r.next++
	if s.duplicate {
		r.result.duplicates++
		return true
	}
	r.result.emitted++
	if s.segment != nil {
		ps.SetTraceID(r.nameOf(s.segment).trace)
		r.placeUnderParent(ps, s)
	}
	r.renameLinks(ps)
	return false
}

func (r *renamer) nameOf(seg *segment) name {
	n := r.index.nameOf(seg, r.batch.key.seq)
	if !r.named[seg] {
		r.named[seg] = true
		r.names = append(r.names, segmentName{trace: seg.trace, name: n})
	}
	return n
}

func (r *renamer) placeUnderParent(ps ptrace.Span, s *span) {
	if p := r.index.chainedParent(s); p != nil {
		r.reparent(ps, s, p)
		return
	}
	if r.dangler == DanglingParentsClear && s.dangling() {
		ps.Attributes().PutStr(danglingParentAttribute, s.parent.String())
		ps.SetParentSpanID([8]byte{})
		ps.SetFlags(ps.Flags() &^ (flagHasIsRemote | flagIsRemote))
		r.result.cleared++
	}
}

func (r *renamer) reparent(ps ptrace.Span, s, p *span) {
	if p.id == s.parent {
		return
	}
	ps.SetParentSpanID(p.id)
	flags := ps.Flags()&^flagIsRemote | flagHasIsRemote
	if s.segment.kernel && s.incoming() {
		flags |= flagIsRemote // the one link of the chain that crosses the wire
	}
	ps.SetFlags(flags)
	r.result.reparented++
}

// dangling tells whether the parent is remote and has not come. A span that names
// itself as its parent has none.
func (s *span) dangling() bool {
	if s.parent.IsEmpty() {
		return false
	}
	return s.parent == s.id || (!s.parentKnown && s.parentIsRemote())
}

// renameLinks lets links to spans with provisional trace ids follow them to their
// published ones. Links that are an application's context stay as they are.
func (r *renamer) renameLinks(ps ptrace.Span) {
	for _, l := range ps.Links().All() {
		seg := r.index.segments[l.TraceID()]
		if seg == nil || isContext(l) || (seg.foreign() && !seg.name.published()) {
			continue
		}
		l.SetTraceID(r.nameOf(seg).trace)
	}
}
