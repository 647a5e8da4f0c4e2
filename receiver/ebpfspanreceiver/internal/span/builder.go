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

// Span flags by opentelemetry-proto, trace.proto, SpanFlags.
const (
	flagHasIsRemote = 0x100
	flagIsRemote    = 0x200
)

// Options configure a Builder.
type Options struct {
	// ScopeName and ScopeVersion name the instrumentation scope.
	ScopeName, ScopeVersion string
	// HostName is host.name, left out where empty.
	HostName string
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
	// attributes is room for those of one exchange.
	attributes []protocol.Attribute
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
	b.identify(s, l)
	s.SetStartTimestamp(pcommon.Timestamp(e.Request.First.Time))
	s.SetEndTimestamp(pcommon.Timestamp(end(e)))
	b.describe(s, e)
	b.thinned.describe(s, e)
	contexts(s, e)
}

// identify sets the ids, the parent and how it was found.
func (b *Builder) identify(s ptrace.Span, l causality.Link) {
	key := l.Exchange.Key()
	s.SetSpanID(ID(key, l.Exchange.Side))
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
	parent := ID(l.Parent.Key(), protocol.Server)
	attributes := s.Attributes()
	if l.Confidence < b.options.MinConfidence {
		doubtful := s.Links().AppendEmpty()
		doubtful.SetTraceID(TraceID(parent))
		doubtful.SetSpanID(parent)
		attributes = doubtful.Attributes()
	} else {
		s.SetTraceID(TraceID(parent))
		s.SetParentSpanID(parent)
	}
	attributes.PutStr(AttributeLinkMethod, string(l.Method))
	attributes.PutDouble(AttributeLinkConfidence, l.Confidence)
}

// end returns the time of the exchange's end, never before its start.
func end(e *protocol.Exchange) int64 {
	return max(e.Request.First.Time, e.End.Time)
}

func (b *Builder) describe(s ptrace.Span, e *protocol.Exchange) {
	b.attributes = b.attributes[:0]
	if e.Details != nil {
		b.attributes = e.Details.AppendAttributes(b.attributes)
	}
	attributes := s.Attributes()
	attributes.EnsureCapacity(len(b.attributes) + 4)
	attributes.PutInt(string(semconv.ThreadIDKey), int64(e.Request.First.Task.TID))
	for _, a := range b.attributes {
		if a.IsInt {
			attributes.PutInt(a.Key, a.Int)
		} else {
			attributes.PutStr(a.Key, a.String)
		}
	}
	if e.ErrorType != "" {
		attributes.PutStr(string(semconv.ErrorTypeKey), e.ErrorType)
	}
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
	b.processes.describe(pid, b.options.HostName, r.Resource().Attributes())
	s := r.ScopeSpans().AppendEmpty()
	s.Scope().SetName(b.options.ScopeName)
	s.Scope().SetVersion(b.options.ScopeVersion)
	b.scopes[pid] = s
	return s
}
