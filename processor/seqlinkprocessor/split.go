package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import "go.opentelemetry.io/collector/pdata/ptrace"

// split cuts td into parts of at most about maxBytes, in order.
func split(td ptrace.Traces, maxBytes int) []ptrace.Traces {
	if (&ptrace.ProtoMarshaler{}).TracesSize(td) <= maxBytes {
		return []ptrace.Traces{td}
	}
	s := splitter{maxBytes: maxBytes}
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, ps := range ss.Spans().All() {
				s.add(rs, ss, ps)
			}
		}
	}
	return s.parts
}

// splitter fills one part after the other.
type splitter struct {
	maxBytes int
	parts    []ptrace.Traces
	size     int // of the last part, in bytes
	resource ptrace.ResourceSpans
	scope    ptrace.ScopeSpans
	to       ptrace.SpanSlice // of the last part, for spans of resource and scope
}

func (s *splitter) add(rs ptrace.ResourceSpans, ss ptrace.ScopeSpans, ps ptrace.Span) {
	size := (&ptrace.ProtoMarshaler{}).SpanSize(ps)
	switch {
	case len(s.parts) == 0 || s.size+size > s.maxBytes:
		s.parts = append(s.parts, ptrace.NewTraces())
		s.size = s.open(rs, ss)
	case s.resource != rs || s.scope != ss:
		s.size += s.open(rs, ss)
	}
	ps.CopyTo(s.to.AppendEmpty())
	s.size += size
}

// open starts a scope in the last part and returns its size in bytes.
func (s *splitter) open(rs ptrace.ResourceSpans, ss ptrace.ScopeSpans) int {
	s.resource, s.scope = rs, ss
	r := s.parts[len(s.parts)-1].ResourceSpans().AppendEmpty()
	rs.Resource().CopyTo(r.Resource())
	r.SetSchemaUrl(rs.SchemaUrl())
	sc := r.ScopeSpans().AppendEmpty()
	ss.Scope().CopyTo(sc.Scope())
	sc.SetSchemaUrl(ss.SchemaUrl())
	s.to = sc.Spans()
	return (&ptrace.ProtoMarshaler{}).ResourceSpansSize(r)
}
