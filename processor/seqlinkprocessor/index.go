package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// joinMethod is the evidence on which two segments were joined, as in telemetry.
type joinMethod string

const (
	joinRemoteParent joinMethod = "remote_parent"
	joinAppContext   joinMethod = "app_context"
)

// spanKey names a span where its id alone is not enough.
type spanKey struct {
	trace pcommon.TraceID
	id    pcommon.SpanID
}

// index knows the ids of the spans that wait and of those that left within the
// retention, and which of their segments belong together. It holds no span data
// and is rebuilt from the store at start. It is not safe for concurrent use.
type index struct {
	inherit  bool
	segments map[pcommon.TraceID]*segment
	// holders has the first span seen under each id.
	holders map[pcommon.SpanID]*span
	// overflow has the further spans under an id that another trace used first.
	overflow map[spanKey]*span
	// pending has, by parent id, the spans whose parent was not seen yet.
	pending map[pcommon.SpanID][]*span
	// servers has, by the context they name, the kernel's incoming spans in order
	// of their start.
	servers map[contextRef][]*span
	// onJoin is told of each join of two segments that both have spans.
	onJoin func(joinMethod)
}

func newIndex(inherit bool, onJoin func(joinMethod)) *index {
	return &index{
		inherit:  inherit,
		segments: map[pcommon.TraceID]*segment{},
		holders:  map[pcommon.SpanID]*span{},
		overflow: map[spanKey]*span{},
		pending:  map[pcommon.SpanID][]*span{},
		servers:  map[contextRef][]*span{},
		onJoin:   onJoin,
	}
}

// add takes s into the index and joins what it shows to belong together. A span
// that is known already is marked as a duplicate and left out. A span without a
// trace id belongs to no segment: it is passed on as it is.
func (x *index) add(s *span) {
	if s.trace.IsEmpty() {
		return
	}
	if x.find(s.trace, s.id) != nil {
		s.duplicate = true
		return
	}
	x.attach(s)
	x.hold(s)
	x.joinParent(s)
	x.joinChildren(s)
	x.joinContexts(s)
}

// remove forgets s and, with its last span, its segment.
func (x *index) remove(s *span) {
	if s.segment == nil {
		return
	}
	x.release(s)
	x.unlist(s)
	x.dropPending(s)
	x.detach(s)
}

// find returns the span with this id in this trace, or nil.
func (x *index) find(trace pcommon.TraceID, id pcommon.SpanID) *span {
	if s := x.holders[id]; s != nil && s.trace == trace {
		return s
	}
	if len(x.overflow) == 0 {
		return nil
	}
	return x.overflow[spanKey{trace, id}]
}

// holder returns the span that s names as its parent, of its own trace before any
// other, or nil when it is not known. No span is its own parent.
func (x *index) holder(s *span) *span {
	if s.parent.IsEmpty() || s.parent == s.id {
		return nil
	}
	if p := x.find(s.trace, s.parent); p != nil {
		return p
	}
	return x.holders[s.parent]
}

func (x *index) attach(s *span) {
	seg := x.segmentOf(s.trace)
	s.segment = seg
	if len(seg.spans) == 0 && seg.group.spans > 0 {
		x.onJoin(joinAppContext) // a trace known from a context only turned out to have spans
	}
	seg.spans = append(seg.spans, s)
	seg.kernel = seg.kernel || s.kernel
	seg.group.spans++
}

func (x *index) detach(s *span) {
	seg := s.segment
	seg.spans = deleteFirst(seg.spans, s)
	seg.group.spans--
	for _, ref := range x.inherited(s) {
		named := x.segments[ref.trace]
		named.references--
		x.dropEmpty(named)
	}
	x.dropEmpty(seg)
}

func (x *index) segmentOf(trace pcommon.TraceID) *segment {
	seg := x.segments[trace]
	if seg == nil {
		seg = &segment{trace: trace}
		newGroup(seg)
		x.segments[trace] = seg
	}
	return seg
}

func (x *index) dropEmpty(seg *segment) {
	if len(seg.spans) > 0 || seg.references > 0 || seg.group == nil {
		return
	}
	delete(x.segments, seg.trace)
	seg.group.remove(seg)
}

func (x *index) hold(s *span) {
	if s.id.IsEmpty() {
		return
	}
	if x.holders[s.id] == nil {
		x.holders[s.id] = s
		return
	}
	x.overflow[spanKey{s.trace, s.id}] = s
}

func (x *index) release(s *span) {
	if x.holders[s.id] == s {
		delete(x.holders, s.id)
		return
	}
	if key := (spanKey{s.trace, s.id}); x.overflow[key] == s {
		delete(x.overflow, key)
	}
}

// joinParent joins s's segment with the one that holds its parent, now or when
// the parent comes.
func (x *index) joinParent(s *span) {
	if s.parent.IsEmpty() || s.parent == s.id {
		return
	}
	if p := x.holder(s); p != nil {
		s.parentKnown = true
		x.union(s.segment, p.segment, joinRemoteParent)
		return
	}
	x.pending[s.parent] = append(x.pending[s.parent], s)
}

// joinChildren joins s's segment with those of the children that came before it.
func (x *index) joinChildren(s *span) {
	for _, child := range x.pending[s.id] {
		child.parentKnown = true
		x.union(child.segment, s.segment, joinRemoteParent)
	}
	delete(x.pending, s.id)
}

// joinContexts joins s's segment with the traces that applications named in it,
// whether their own spans come here or not.
func (x *index) joinContexts(s *span) {
	for _, ref := range x.inherited(s) {
		named := x.segmentOf(ref.trace)
		named.references++
		x.union(s.segment, named, joinAppContext)
		if s.incoming() {
			x.list(ref, s)
		}
	}
}

// inherited returns the contexts of s that count.
func (x *index) inherited(s *span) []contextRef {
	if !x.inherit {
		return nil
	}
	return s.contexts
}

func (x *index) list(ref contextRef, s *span) {
	servers := x.servers[ref]
	at, _ := slices.BinarySearchFunc(servers, s, compareSpans)
	x.servers[ref] = slices.Insert(servers, at, s)
}

func (x *index) unlist(s *span) {
	for _, ref := range x.inherited(s) {
		servers := x.servers[ref]
		at, found := slices.BinarySearchFunc(servers, s, compareSpans)
		if !found || !s.incoming() {
			continue
		}
		if servers = slices.Delete(servers, at, at+1); len(servers) == 0 {
			delete(x.servers, ref)
			continue
		}
		x.servers[ref] = servers
	}
}

func (x *index) dropPending(s *span) {
	waiting, ok := x.pending[s.parent]
	if !ok {
		return
	}
	if waiting = deleteFirst(waiting, s); len(waiting) == 0 {
		delete(x.pending, s.parent)
		return
	}
	x.pending[s.parent] = waiting
}

func (x *index) union(a, b *segment, method joinMethod) {
	if a.group == b.group {
		return
	}
	if a.group.spans > 0 && b.group.spans > 0 {
		x.onJoin(method)
	}
	merge(a.group, b.group)
}

// deleteFirst removes s from a list kept in order of arrival. What is forgotten
// first came first, so it is found at once and nothing needs to be moved.
func deleteFirst(list []*span, s *span) []*span {
	at := slices.Index(list, s)
	switch at {
	case -1:
		return list
	case 0:
		list[0] = nil
		return list[1:]
	}
	return slices.Delete(list, at, at+1)
}
