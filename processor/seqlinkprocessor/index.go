package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"hash/maphash"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/seqlink/seqlink/processor/seqlinkprocessor/internal/arena"
	"github.com/seqlink/seqlink/processor/seqlinkprocessor/internal/idtable"
)

// joinMethod is the evidence on which two segments were joined, as in telemetry.
type joinMethod string

const (
	joinRemoteParent joinMethod = "remote_parent"
	joinAppContext   joinMethod = "app_context"
)

type entry = idtable.Entry

// segmentMark marks references to segments in the tables of span ids; references
// without it are to spans.
const segmentMark uint32 = 1 << 31

func segmentRef(h handle) uint32 { return uint32(h) | segmentMark }

// indexRules are the settings that the index heeds.
type indexRules struct {
	// inherit lets application contexts join segments and name traces.
	inherit bool
	// honorApp lets an application's decision to drop a trace stand.
	honorApp bool
	// keep decides by trace id, and by explicit randomness where there is any.
	keep func(trace pcommon.TraceID, randomness uint64, explicit bool) bool
	// maxSpans and maxDuration bound a trace; 0 is no bound.
	maxSpans    int
	maxDuration time.Duration
	// onJoin is told of each join of two segments that both have spans.
	onJoin func(joinMethod)
	// onLimit is told of each trace that stops growing.
	onLimit func(traceLimit)
	// onName is told how many spans a trace has when it is named.
	onName func(spans int)
}

// index knows the ids of the spans that wait and of those that left within the
// retention, and which of their segments belong together. It holds no span data
// and is rebuilt from the store at start. What there is very much of lives outside of
// the Go heap. It is not safe for concurrent use.
type index struct {
	indexRules
	seed     maphash.Seed
	spans    *arena.Arena[span]
	segments *arena.Arena[segment]
	groups   *arena.Arena[group]
	contexts *arena.Arena[listedContext]

	// ids has, by span id, the spans and, for plain spans, their segments. An entry's
	// tag stands for the incoming trace id.
	ids *idtable.Table
	// pending has, by parent id, the segments of spans whose parent was not seen yet.
	pending *idtable.Table
	// traces has the segments by incoming trace id.
	traces *idtable.Table
	// known counts the ids in ids that are not stale.
	known int

	// What follows is empty in most installations, or for most traces.

	// servers has, by the context they name, the kernel's incoming spans in order
	// of their start.
	servers map[contextRef][]handle
	// ownNames has the names of segments that were published before their group took
	// an older one.
	ownNames map[handle]name
	// randomness has the explicit randomness of segments.
	randomness map[handle]uint64
	// continued counts the segments that go on where one of this trace id is full.
	continued map[pcommon.TraceID]uint32
	// continues has the incoming trace ids of such segments.
	continues map[handle]pcommon.TraceID
	// recent is the segment to which the last span belongs: the next one often does, too.
	recent struct {
		trace   pcommon.TraceID
		tag     uint32
		segment handle
	}
	touched uint32
	// collisions counts spans that could not be indexed because too many others have
	// their id.
	collisions int
}

// listedContext is one context in the list of a span.
type listedContext struct {
	ref     contextRef
	verdict verdict
	next    handle
}

func newIndex(rules indexRules) *index {
	x := &index{
		indexRules: rules,
		seed:       maphash.MakeSeed(),
		spans:      arena.New[span](),
		segments:   arena.New[segment](),
		groups:     arena.New[group](),
		contexts:   arena.New[listedContext](),
		servers:    map[contextRef][]handle{},
		ownNames:   map[handle]name{},
		randomness: map[handle]uint64{},
		continued:  map[pcommon.TraceID]uint32{},
		continues:  map[handle]pcommon.TraceID{},
	}
	x.ids = idtable.New(x.stale)
	x.pending = idtable.New(x.stale)
	x.traces = idtable.New(func(entry) bool { return false })
	return x
}

// release gives the memory back that the garbage collector does not know of.
func (x *index) release() {
	x.spans.Release()
	x.segments.Release()
	x.groups.Release()
	x.contexts.Release()
	x.ids.Release()
	x.pending.Release()
	x.traces.Release()
}

// stale tells of an entry whose span or segment was forgotten. Their places may have
// others by now.
func (x *index) stale(e entry) bool {
	if e.Ref&segmentMark != 0 {
		s := x.segments.At(handle(e.Ref &^ segmentMark))
		return s.tag != e.Tag || s.ids == 0
	}
	s := x.spans.At(handle(e.Ref))
	return idKey(s.id) != e.ID || x.segments.At(s.segment).tag != e.Tag
}

func (x *index) traceKey(trace pcommon.TraceID) uint64 { return maphash.Comparable(x.seed, trace) }

func (x *index) tag(trace pcommon.TraceID) uint32 { return uint32(x.traceKey(trace)) | 1 }

// touch brings what add will look at into the processor's cache.
func (x *index) touch(spans []arrival) {
	var sum uint32
	for i := range spans {
		if i == 0 || spans[i].trace != spans[i-1].trace {
			sum += x.traces.Touch(x.traceKey(spans[i].trace))
		}
		id, parent := idKey(spans[i].id), idKey(spans[i].parent)
		sum += x.ids.Touch(id) + x.ids.Touch(parent) + x.pending.Touch(id) + x.pending.Touch(parent)
	}
	x.touched = sum // so that the reads are not in vain to the compiler
}

// touchParents does the same for what rename will look at.
func (x *index) touchParents(spans []handle) {
	var sum uint32
	for _, h := range spans {
		if h == spanUnindexed || h == spanDuplicate {
			continue
		}
		if s := x.spans.At(h); !s.bits.has(spanParentKnown) {
			sum += x.ids.Touch(idKey(s.parent))
		}
	}
	x.touched = sum
}

// add takes a span into the index and joins what it shows to belong together. It
// returns the span's handle; a span that is known already is a duplicate, and one
// without a trace id belongs to no segment.
func (x *index) add(a *arrival) handle {
	if a.trace.IsEmpty() {
		return spanUnindexed
	}
	if a.trace != x.recent.trace {
		x.recent.trace, x.recent.tag = a.trace, x.tag(a.trace)
		x.recent.segment = x.segmentOf(a.trace)
	}
	if own, _ := x.lookup(a.id, x.recent.tag); own != 0 {
		return spanDuplicate
	}
	seg := x.segmentFor(a, x.recent.segment)
	h, s := x.spans.Alloc()
	s.id, s.parent, s.start, s.end = a.id, a.parent, a.start, a.end
	s.kind, s.bits = uint8(a.kind), a.bits
	x.attach(h, s, seg)
	x.listContexts(s, a)
	x.hold(a.id, x.refTo(h, s), seg)
	x.joinParent(seg, a.id, a.parent, &s.bits)
	x.joinChildren(seg, a.id)
	x.joinContexts(h, s, a)
	if a.hasRandomness {
		x.randomness[seg] = a.randomness
	}
	return h
}

// refTo returns the reference under which a span is found: that of its segment where
// nothing else about it matters to others.
func (x *index) refTo(h handle, s *span) uint32 {
	if s.plain() {
		return segmentRef(s.segment)
	}
	return uint32(h)
}

// lookup returns what is known under a span id: of the incoming trace that tag
// stands for, and of any trace the first; 0 is nothing.
func (x *index) lookup(id pcommon.SpanID, tag uint32) (own, first uint32) {
	if id.IsEmpty() {
		return 0, 0
	}
	x.ids.All(idKey(id), func(e entry) bool {
		if x.stale(e) {
			return true
		}
		if e.Tag == tag {
			own = e.Ref
		}
		if first == 0 {
			first = e.Ref
		}
		return own == 0
	})
	return own, first
}

// nearest returns what is known under a span id, of the segment's own incoming
// trace before any other, or 0.
func (x *index) nearest(id pcommon.SpanID, seg handle) uint32 {
	own, first := x.lookup(id, x.segments.At(seg).tag)
	if own != 0 {
		return own
	}
	return first
}

// segmentBehind returns the segment that a reference leads to.
func (x *index) segmentBehind(ref uint32) handle {
	if ref&segmentMark != 0 {
		return handle(ref &^ segmentMark)
	}
	return x.spans.At(handle(ref)).segment
}

// spanBehind returns the span that a reference leads to, or nil when it is plain.
func (x *index) spanBehind(ref uint32) *span {
	if ref == 0 || ref&segmentMark != 0 {
		return nil
	}
	return x.spans.At(handle(ref))
}

// hold makes a span findable by its id.
func (x *index) hold(id pcommon.SpanID, ref uint32, seg handle) {
	if id.IsEmpty() {
		return
	}
	s := x.segments.At(seg)
	if !x.ids.Insert(entry{ID: idKey(id), Tag: s.tag, Ref: ref}) {
		x.collisions++
		return
	}
	s.ids++
	x.known++
}

// joinParent joins a span's segment with the one that holds its parent, now or when
// the parent comes.
func (x *index) joinParent(seg handle, id, parent pcommon.SpanID, bits *spanBits) {
	if parent.IsEmpty() || parent == id {
		return
	}
	if p := x.nearest(parent, seg); p != 0 {
		*bits |= spanParentKnown
		other := x.segmentBehind(p)
		if other == seg {
			*bits |= spanParentInside
		}
		x.union(seg, other, joinRemoteParent)
		return
	}
	x.await(parent, seg)
}

// await lets a segment be joined with the span parent when it comes.
func (x *index) await(parent pcommon.SpanID, seg handle) {
	awaited := entry{ID: idKey(parent), Tag: x.segments.At(seg).tag, Ref: segmentRef(seg)}
	there := false
	x.pending.All(awaited.ID, func(e entry) bool {
		there = e == awaited
		return !there
	})
	if !there && !x.pending.Insert(awaited) {
		x.collisions++
	}
}

// joinChildren joins a span's segment with those of the children that came before it.
func (x *index) joinChildren(seg handle, id pcommon.SpanID) {
	if id.IsEmpty() {
		return
	}
	var children [idtable.MaxSame]entry
	n := 0
	x.pending.All(idKey(id), func(e entry) bool {
		children[n] = e
		n++
		return n < len(children)
	})
	for _, e := range children[:n] {
		if !x.stale(e) {
			x.union(handle(e.Ref&^segmentMark), seg, joinRemoteParent)
		}
		x.pending.Delete(e.ID, e.Ref)
	}
}

// listContexts keeps the contexts of a span.
func (x *index) listContexts(s *span, a *arrival) {
	for _, c := range slices.Backward(a.contexts) {
		at, listed := x.contexts.Alloc()
		listed.ref, listed.verdict, listed.next = c.contextRef, c.verdict, s.contexts
		s.contexts = at
	}
}

// joinContexts joins a span's segment with the traces that applications named in
// it, whether their own spans come here or not.
func (x *index) joinContexts(h handle, s *span, a *arrival) {
	if !x.inherit {
		return
	}
	for _, c := range a.contexts {
		named := x.segmentOf(c.trace)
		x.segments.At(named).references++
		x.union(s.segment, named, joinAppContext)
		if s.incoming() && x.rootOf(s.segment) == x.rootOf(named) {
			x.list(c.contextRef, h)
		}
	}
}

// eachContext calls f with the contexts of a span until it returns false.
func (x *index) eachContext(s *span, f func(*listedContext) bool) {
	for c := s.contexts; c != 0; {
		listed := x.contexts.At(c)
		if !f(listed) {
			return
		}
		c = listed.next
	}
}

// names tells whether s carries ref.
func (x *index) names(s *span, ref contextRef) (named bool) {
	x.eachContext(s, func(c *listedContext) bool {
		named = c.ref == ref
		return !named
	})
	return named
}

func (x *index) list(ref contextRef, h handle) {
	servers := x.servers[ref]
	at, _ := slices.BinarySearchFunc(servers, h, x.compareHandles)
	x.servers[ref] = slices.Insert(servers, at, h)
}

func (x *index) unlist(h handle, s *span) {
	if !x.inherit || !s.incoming() {
		return
	}
	x.eachContext(s, func(c *listedContext) bool {
		servers := x.servers[c.ref]
		at, found := slices.BinarySearchFunc(servers, h, x.compareHandles)
		if !found {
			return true
		}
		if servers = slices.Delete(servers, at, at+1); len(servers) == 0 {
			delete(x.servers, c.ref)
			return true
		}
		x.servers[c.ref] = servers
		return true
	})
}

func (x *index) compareHandles(a, b handle) int {
	return x.compareSpans(x.spans.At(a), x.spans.At(b))
}

// union makes one group of two segments' groups, unless that would be too large.
func (x *index) union(a, b handle, method joinMethod) {
	ra, rb := x.rootOf(a), x.rootOf(b)
	if ra == rb || x.refuse(x.groups.At(ra), x.groups.At(rb)) {
		return
	}
	if x.groups.At(ra).spans > 0 && x.groups.At(rb).spans > 0 {
		x.onJoin(method)
	}
	x.merge(ra, rb)
}

// leave takes note that the spans of a batch left, and returns their segments, each
// once.
func (x *index) leave(spans []handle) []handle {
	var segments []handle
	for _, h := range spans {
		if h == spanUnindexed || h == spanDuplicate {
			continue
		}
		seg := x.spans.At(h).segment
		s := x.segments.At(seg)
		s.waiting--
		if !s.has(segmentTouched) {
			s.bits |= segmentTouched
			segments = append(segments, seg)
		}
	}
	for _, seg := range segments {
		s := x.segments.At(seg)
		s.bits &^= segmentTouched
		s.batches++
		if s.waiting == 0 {
			x.collapse(seg)
		}
	}
	return slices.Clip(segments)
}

// forget takes note that a batch that left is not remembered any more.
func (x *index) forget(segments []handle) {
	x.recent.trace = pcommon.TraceID{}
	for _, seg := range segments {
		x.segments.At(seg).batches--
		x.forgetSegment(seg)
	}
}

// bytesPerID and bytesPerTrace are what entries of the tables take, about: 16 bytes
// in slots of which three in four are in use.
const (
	bytesPerID    = 22
	bytesPerTrace = 22
)

// bytes returns the memory that the index needs for what it knows, about.
func (x *index) bytes() int {
	return x.spans.Bytes() + x.segments.Bytes() + x.groups.Bytes() + x.contexts.Bytes() +
		x.known*bytesPerID + x.segments.Len()*bytesPerTrace + len(x.servers)*128
}
