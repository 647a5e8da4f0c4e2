package load

import (
	"encoding/binary"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of opentelemetry-proto's trace.proto.
const (
	FieldResourceSpans protowire.Number = 1 // of TracesData and of ExportTraceServiceRequest
	FieldScopeSpans    protowire.Number = 2 // of ResourceSpans
	FieldSpans         protowire.Number = 2 // of ScopeSpans
	FieldTraceID       protowire.Number = 1 // of Span
	FieldSpanID        protowire.Number = 2 // of Span
	FieldParentSpanID  protowire.Number = 4 // of Span
)

// innermost returns the one span of a marshalled ptrace.Traces.
func innermost(traces []byte) []byte {
	return field(field(field(traces, FieldResourceSpans), FieldScopeSpans), FieldSpans)
}

// field returns the first field of bytes with this number.
func field(message []byte, number protowire.Number) []byte {
	for len(message) > 0 {
		n, kind, tag := protowire.ConsumeTag(message)
		if kind == protowire.BytesType && n == number {
			value, _ := protowire.ConsumeBytes(message[tag:])
			return value
		}
		message = message[tag+protowire.ConsumeFieldValue(n, kind, message[tag:]):]
	}
	panic("field is missing")
}

// envelope is what stands around the spans of a service: resource and scope.
type envelope struct{ resource, scope []byte }

func newEnvelope(service string, host int) envelope {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	attributes := rs.Resource().Attributes()
	attributes.PutStr("service.name", service)
	attributes.PutStr("host.name", [Hosts]string{"node-a", "node-b"}[host])
	attributes.PutInt("process.pid", int64(4000+len(service)))
	attributes.PutStr("process.executable.name", service)
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName(scopeName)
	ss.Scope().SetVersion("0.1.0")
	whole, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	if err != nil {
		panic(err) // the same input each time
	}
	inner := field(whole, FieldResourceSpans)
	return envelope{
		resource: appendBytes(nil, 1, field(inner, 1)),
		scope:    appendBytes(nil, 1, field(field(inner, FieldScopeSpans), 1)),
	}
}

func appendBytes(b []byte, number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), value)
}

// appendTo appends ResourceSpans with these spans, which are fields of ScopeSpans.
func (e envelope) appendTo(b, spans []byte) []byte {
	scopeSpans := len(e.scope) + len(spans)
	resourceSpans := len(e.resource) + protowire.SizeTag(FieldScopeSpans) + protowire.SizeBytes(scopeSpans)
	b = protowire.AppendTag(b, FieldResourceSpans, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(resourceSpans))
	b = append(b, e.resource...)
	b = protowire.AppendTag(b, FieldScopeSpans, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(scopeSpans))
	b = append(b, e.scope...)
	return append(b, spans...)
}

func traceID(high, low uint64) (id pcommon.TraceID) {
	binary.BigEndian.PutUint64(id[:8], high)
	binary.BigEndian.PutUint64(id[8:], low)
	return id
}

func spanID(n uint64) (id pcommon.SpanID) {
	binary.BigEndian.PutUint64(id[:], n)
	return id
}
