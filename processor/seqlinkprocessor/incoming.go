package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/seqlink/seqlink/processor/seqlinkprocessor/internal/sampling"
)

const (
	// kernelScopePrefix begins the scope names of the spans that Seqlink's own
	// receivers make, whose trace ids are provisional.
	kernelScopePrefix = "github.com/seqlink/seqlink/"
	// contextAttribute marks, on a span link, the trace context that an application
	// put into the payload; its value is the propagator's name.
	contextAttribute = "seqlink.context"
	// contextSampledAttribute says, on such a link, whether the application decided to
	// keep the trace. Without a decision it is not there.
	contextSampledAttribute = "seqlink.context.sampled"
	// linkMethodAttribute says how a call was found to belong to its request. Only
	// Seqlink's receivers set it.
	linkMethodAttribute = "seqlink.link.method"
	// danglingParentAttribute keeps the id of a parent that never came.
	danglingParentAttribute = "seqlink.dangling_parent_span_id"
	// traceLimitAttribute names, on the spans of a trace that stopped growing, the
	// limit that it met.
	traceLimitAttribute = "seqlink.trace.limit"
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

// verdict is what an application decided about its trace.
type verdict uint8

const (
	verdictNone verdict = iota
	verdictDrop
	verdictKeep
)

// spanContext is a context and the decision that came with it.
type spanContext struct {
	contextRef
	verdict verdict
}

// arrival is a span as it arrives, as far as the index cares.
type arrival struct {
	trace      pcommon.TraceID
	id, parent pcommon.SpanID
	start, end pcommon.Timestamp
	kind       ptrace.SpanKind
	bits       spanBits
	contexts   []spanContext
	// randomness is the explicit randomness of the span's trace, of ot=rv.
	randomness    uint64
	hasRandomness bool
}

// readSpans appends the index's view of every span of td, in td's order.
func readSpans(spans []arrival, td ptrace.Traces) []arrival {
	spans = slices.Grow(spans, td.SpanCount())
	eachSpan(td, func(scope pcommon.InstrumentationScope, ps ptrace.Span) {
		spans = append(spans, readSpan(scope, ps))
	})
	return spans
}

func readSpan(scope pcommon.InstrumentationScope, ps ptrace.Span) arrival {
	a := arrival{
		trace:  ps.TraceID(),
		id:     ps.SpanID(),
		parent: ps.ParentSpanID(),
		start:  ps.StartTimestamp(),
		end:    ps.EndTimestamp(),
		kind:   ps.Kind(),
	}
	a.readLinks(ps.Links())
	a.readRandomness(ps.TraceState())
	if ps.Flags()&flagHasIsRemote != 0 {
		a.bits |= spanHasIsRemote
	}
	if ps.Flags()&flagIsRemote != 0 {
		a.bits |= spanIsRemote
	}
	if len(a.contexts) > 0 || strings.HasPrefix(scope.Name(), kernelScopePrefix) || hasMethod(ps) {
		a.bits |= spanKernel
	}
	return a
}

func hasMethod(ps ptrace.Span) bool {
	_, ok := ps.Attributes().Get(linkMethodAttribute)
	return ok
}

func (a *arrival) readRandomness(state pcommon.TraceState) {
	if raw := state.AsRaw(); raw != "" && !a.hasRandomness {
		a.randomness, a.hasRandomness = sampling.ExplicitRandomness(raw)
	}
}

func (a *arrival) readLinks(links ptrace.SpanLinkSlice) {
	for _, l := range links.All() {
		if !isContext(l) || l.TraceID().IsEmpty() || l.SpanID().IsEmpty() {
			continue
		}
		a.addContext(spanContext{contextRef{trace: l.TraceID(), span: l.SpanID()}, readVerdict(l)})
		a.readRandomness(l.TraceState())
	}
}

// addContext adds c. Applications often send one context in the form of several
// propagators, of which not all carry a decision.
func (a *arrival) addContext(c spanContext) {
	for i := range a.contexts {
		if a.contexts[i].contextRef == c.contextRef {
			a.contexts[i].verdict = max(a.contexts[i].verdict, c.verdict)
			return
		}
	}
	a.contexts = append(a.contexts, c)
}

func readVerdict(l ptrace.SpanLink) verdict {
	sampled, decided := l.Attributes().Get(contextSampledAttribute)
	switch {
	case !decided:
		return verdictNone
	case sampled.Bool():
		return verdictKeep
	}
	return verdictDrop
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
