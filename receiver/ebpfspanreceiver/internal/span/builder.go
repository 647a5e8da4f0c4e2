// Package span turns linked exchanges into OTLP spans.
package span

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/causality"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// Seqlink's own attributes; docs/configuration.md describes them.
const (
	AttributeLinkMethod     = "seqlink.link.method"
	AttributeLinkConfidence = "seqlink.link.confidence"
	AttributeContext        = "seqlink.context"
	AttributeContextSampled = "seqlink.context.sampled"
	AttributeCaptureRatio   = "seqlink.capture.ratio"
)

// usualSpans is room for the spans of a process that is not busy.
const usualSpans = 16

// minRunnerUp is the confidence from which the next likely parent is worth a span link.
const minRunnerUp = 0.05

// Span flags by opentelemetry-proto, trace.proto, SpanFlags.
const (
	flagHasIsRemote = 0x100
	flagIsRemote    = 0x200
)

// Options configure a Builder.
type Options struct {
	// ScopeName and ScopeVersion name the instrumentation scope.
	ScopeName, ScopeVersion string
	// HostName is host.name, HostID host.id, each left out where empty.
	HostName, HostID string
	// MinConfidence is the confidence below which a parent becomes a span link.
	MinConfidence float64
}

// Builder implements causality.Sink: it collects spans, grouped by process, until
// they are taken. It is not safe for concurrent use.
type Builder struct {
	options   Options
	processes processes
	traces    ptrace.Traces
	// scopes holds the scope of each process in traces.
	scopes map[uint32]ptrace.ScopeSpans
	count  int
	// attributes are those of one exchange, for each side.
	attributes [2]protocol.Attributes
	thinned    thinned
}

// NewBuilder returns a builder without spans.
func NewBuilder(options Options) *Builder {
	b := &Builder{options: options, processes: newProcesses()}
	b.reset()
	return b
}

func (b *Builder) reset() {
	b.traces, b.count = ptrace.NewTraces(), 0
	b.scopes = make(map[uint32]ptrace.ScopeSpans)
}

// Len returns the number of spans that wait to be taken.
func (b *Builder) Len() int { return b.count }

// Take hands over the spans built so far.
func (b *Builder) Take() ptrace.Traces {
	taken := b.traces
	b.reset()
	return taken
}

// Link implements causality.Sink.
func (b *Builder) Link(l causality.Link) {
	e := l.Exchange
	if e.Thinning.Out {
		return
	}
	if l.Parent != nil && l.Parent.Thinning.Out {
		l.Parent = nil // it has no span
	}
	s := b.scope(e.Request.First.Task.PID).Spans().AppendEmpty()
	b.count++
	s.SetName(e.Name)
	s.SetStartTimestamp(pcommon.Timestamp(e.Request.First.Time))
	s.SetEndTimestamp(pcommon.Timestamp(end(e)))
	b.describe(s, l)
	b.identify(s, l)
	related(s, l)
	contexts(s, e)
}

// identify sets the ids, the parent and how it was found.
func (b *Builder) identify(s ptrace.Span, l causality.Link) {
	key := l.Exchange.Key()
	s.SetSpanID(idOf(l.Exchange))
	s.SetTraceID(TraceID(s.SpanID()))
	if l.Exchange.Side == protocol.Server {
		s.SetKind(ptrace.SpanKindServer)
		s.SetParentSpanID(ID(key, protocol.Client))
		s.SetFlags(flagHasIsRemote | flagIsRemote)
		return
	}
	s.SetKind(ptrace.SpanKindClient)
	s.SetFlags(flagHasIsRemote)
	if l.Parent == nil {
		return
	}
	parent := idOf(l.Parent)
	if b.trusted(l) {
		s.SetTraceID(TraceID(parent))
		s.SetParentSpanID(parent)
	} else {
		linkTo(s, causality.Relation{Exchange: l.Parent, Method: l.Method, Confidence: l.Confidence})
	}
	runnerUp(s, l)
}

// trusted reports whether the exchange has a parent that is sure enough to be its span's.
func (b *Builder) trusted(l causality.Link) bool {
	return l.Exchange.Side == protocol.Client && l.Parent != nil && l.Confidence >= b.options.MinConfidence
}

// runnerUp adds a span link to the next likely parent.
func runnerUp(s ptrace.Span, l causality.Link) {
	if l.RunnerUp == nil || l.RunnerUpConfidence < minRunnerUp {
		return
	}
	linkTo(s, causality.Relation{Exchange: l.RunnerUp, Method: l.Method, Confidence: l.RunnerUpConfidence})
}

// related adds span links to the requests that the exchange has to do with, but for those
// that have no span.
func related(s ptrace.Span, l causality.Link) {
	for _, r := range l.Related {
		if !r.Exchange.Thinning.Out {
			linkTo(s, r)
		}
	}
}

// linkTo adds a span link to a request.
func linkTo(s ptrace.Span, r causality.Relation) {
	id := idOf(r.Exchange)
	link := s.Links().AppendEmpty()
	link.SetTraceID(TraceID(id))
	link.SetSpanID(id)
	link.Attributes().PutStr(AttributeLinkMethod, string(r.Method))
	link.Attributes().PutDouble(AttributeLinkConfidence, r.Confidence)
}

// end returns the time of the exchange's end, never before its start.
func end(e *protocol.Exchange) int64 {
	return max(e.Request.First.Time, e.End.Time)
}

// describe sets the attributes and the status. How the parent was found is known already.
func (b *Builder) describe(s ptrace.Span, l causality.Link) {
	e, a := l.Exchange, &b.attributes[l.Exchange.Side]
	a.AddInt(semconv.ThreadIDKey, int64(e.Request.First.Task.TID))
	if e.Details != nil {
		e.Details.AddAttributes(a)
	}
	a.AddString(semconv.ErrorTypeKey, e.ErrorType)
	if b.trusted(l) {
		a.AddString(AttributeLinkMethod, string(l.Method))
		a.AddDouble(AttributeLinkConfidence, l.Confidence)
	}
	b.thinned.describe(s, a, e)
	a.MoveTo(s.Attributes())
	if e.Failed {
		s.Status().SetCode(ptrace.StatusCodeError)
		s.Status().SetMessage(e.ErrorMessage)
	}
}

// contexts attaches what applications said about the trace as span links.
func contexts(s ptrace.Span, e *protocol.Exchange) {
	for _, c := range e.Contexts {
		link := s.Links().AppendEmpty()
		link.SetTraceID(pcommon.TraceID(c.TraceID))
		link.SetSpanID(pcommon.SpanID(c.SpanID))
		link.SetFlags(uint32(c.Flags))
		link.TraceState().FromRaw(c.TraceState)
		link.Attributes().PutStr(AttributeContext, c.Propagator)
		if keep, decided := c.Sampled(); decided {
			link.Attributes().PutBool(AttributeContextSampled, keep)
		}
	}
}

// scope returns where the spans of a process go.
func (b *Builder) scope(pid uint32) ptrace.ScopeSpans {
	if s, ok := b.scopes[pid]; ok {
		return s
	}
	r := b.traces.ResourceSpans().AppendEmpty()
	r.SetSchemaUrl(semconv.SchemaURL)
	b.processes.resource(pid, &b.options).CopyTo(r.Resource().Attributes())
	s := r.ScopeSpans().AppendEmpty()
	s.Scope().SetName(b.options.ScopeName)
	s.Scope().SetVersion(b.options.ScopeVersion)
	s.Spans().EnsureCapacity(usualSpans)
	b.scopes[pid] = s
	return s
}
