package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

const (
	// kernelScopePrefix begins the scope names of the spans that Seqlink's own
	// receivers make, whose trace ids are provisional.
	kernelScopePrefix = "github.com/seqlink/seqlink/"
	// contextAttribute marks, on a span link, the trace context that an application
	// put into the payload; its value is the propagator's name.
	contextAttribute = "seqlink.context"
	// linkMethodAttribute says how a call was found to belong to its request. Only
	// Seqlink's receivers set it.
	linkMethodAttribute = "seqlink.link.method"
	// danglingParentAttribute keeps the id of a parent that never came.
	danglingParentAttribute = "seqlink.dangling_parent_span_id"
)

// Span flags as in opentelemetry-proto's trace.proto, SpanFlags.
const (
	flagHasIsRemote uint32 = 0x100
	flagIsRemote    uint32 = 0x200
)

// contextRef is a trace context that an application put into a payload.
type contextRef struct {
	trace pcommon.TraceID
	span  pcommon.SpanID
}

// span is what the index keeps of a span: its ids and what naming needs.
type span struct {
	trace      pcommon.TraceID // as it arrived
	id, parent pcommon.SpanID
	start, end pcommon.Timestamp
	kind       ptrace.SpanKind
	flags      uint32
	// kernel tells the spans of Seqlink's receivers from those of SDKs.
	kernel bool
	// parentKnown stays true once the parent was seen, even when the index has
	// forgotten it since.
	parentKnown bool
	// duplicate spans are not indexed and not emitted.
	duplicate bool
	contexts  []contextRef
	segment   *segment
}

// readSpans returns the index's view of every span of td, in td's order.
func readSpans(td ptrace.Traces) []span {
	spans := make([]span, 0, td.SpanCount())
	eachSpan(td, func(scope pcommon.InstrumentationScope, ps ptrace.Span) {
		spans = append(spans, readSpan(scope, ps))
	})
	return spans
}

func readSpan(scope pcommon.InstrumentationScope, ps ptrace.Span) span {
	s := span{
		trace:    ps.TraceID(),
		id:       ps.SpanID(),
		parent:   ps.ParentSpanID(),
		start:    ps.StartTimestamp(),
		end:      ps.EndTimestamp(),
		kind:     ps.Kind(),
		flags:    ps.Flags(),
		contexts: readContexts(ps.Links()),
	}
	_, hasMethod := ps.Attributes().Get(linkMethodAttribute)
	s.kernel = hasMethod || len(s.contexts) > 0 || strings.HasPrefix(scope.Name(), kernelScopePrefix)
	return s
}

func readContexts(links ptrace.SpanLinkSlice) []contextRef {
	var refs []contextRef
	for i := range links.Len() {
		l := links.At(i)
		if !isContext(l) || l.TraceID().IsEmpty() || l.SpanID().IsEmpty() {
			continue
		}
		// Applications often send one context in the form of several propagators.
		if ref := (contextRef{trace: l.TraceID(), span: l.SpanID()}); !slices.Contains(refs, ref) {
			refs = append(refs, ref)
		}
	}
	return refs
}

func isContext(l ptrace.SpanLink) bool {
	_, ok := l.Attributes().Get(contextAttribute)
	return ok
}

func eachSpan(td ptrace.Traces, f func(pcommon.InstrumentationScope, ptrace.Span)) {
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, ps := range ss.Spans().All() {
				f(ss.Scope(), ps)
			}
		}
	}
}

// incoming tells whether s is the receiving end of a call.
func (s *span) incoming() bool {
	return s.kind == ptrace.SpanKindServer || s.kind == ptrace.SpanKindConsumer
}

// outgoing tells whether s is the sending end of a call.
func (s *span) outgoing() bool {
	return s.kind == ptrace.SpanKindClient || s.kind == ptrace.SpanKindProducer
}

// parentIsRemote tells whether the parent lives in another process. Spans that
// carry no has_is_remote flag are judged by their kind.
func (s *span) parentIsRemote() bool {
	if s.flags&flagHasIsRemote != 0 {
		return s.flags&flagIsRemote != 0
	}
	return s.kernel || s.incoming() || s.kind == ptrace.SpanKindUnspecified
}

// names tells whether s carries ref.
func (s *span) names(ref contextRef) bool { return slices.Contains(s.contexts, ref) }

// compareSpans orders by earliest start, then smallest span id, then smallest
// trace id: the order in which ties between roots are broken.
func compareSpans(a, b *span) int {
	return cmp.Or(
		cmp.Compare(a.start, b.start),
		bytes.Compare(a.id[:], b.id[:]),
		bytes.Compare(a.trace[:], b.trace[:]),
	)
}
