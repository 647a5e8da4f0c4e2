package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"encoding/binary"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// batchKey orders batches by arrival: nanoseconds since the Unix epoch, never
// smaller than those of the batch before, then a sequence number.
type batchKey struct {
	arrival int64
	seq     uint64
}

const batchKeyLen = 16

func (k batchKey) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(k.arrival))
	return binary.BigEndian.AppendUint64(b, k.seq)
}

func parseBatchKey(b []byte) (batchKey, error) {
	if len(b) != batchKeyLen {
		return batchKey{}, fmt.Errorf("key has %d bytes, want %d", len(b), batchKeyLen)
	}
	return batchKey{
		arrival: int64(binary.BigEndian.Uint64(b)),
		seq:     binary.BigEndian.Uint64(b[8:]),
	}, nil
}

type batchState uint8

const (
	// batchReserved has its place in the queue but is not stored and indexed yet.
	batchReserved batchState = iota
	// batchWaiting is stored and indexed.
	batchWaiting
	// batchVoid could not be stored; it leaves the queue without a trace.
	batchVoid
)

// batch is one stored value: spans that arrived together and leave together.
type batch struct {
	key     batchKey
	arrival time.Time
	state   batchState
	// spans is what the index refers to, in the order of the stored spans.
	spans []span
	// data is the marshalled ptrace.Traces until it is stored.
	data []byte
	// published is when the names of this batch's spans were fixed; zero before.
	published time.Time
}

// newBatches marshals td into batches of at most about maxBytes each. A span that
// alone is larger than maxBytes is a batch of its own.
func newBatches(td ptrace.Traces, maxBytes int) ([]*batch, error) {
	var batches []*batch
	for _, part := range split(td, maxBytes) {
		data, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(part)
		if err != nil {
			return nil, fmt.Errorf("marshal spans: %w", err)
		}
		batches = append(batches, &batch{spans: readSpans(part), data: data})
	}
	return batches, nil
}

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
