package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"bytes"
	"cmp"
	"encoding/binary"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/seqlink/seqlink/processor/seqlinkprocessor/internal/arena"
)

// handle names a value in one of the index's arenas; 0 names none.
type handle = arena.Handle

// span is what the index keeps of a span while it waits: its ids and what naming
// needs. Values live in an arena and have no pointers.
type span struct {
	id, parent pcommon.SpanID
	start, end pcommon.Timestamp
	segment    handle
	// next is the next span in a list of its segment.
	next handle
	// contexts is the first of the contexts that an application put into the payload.
	contexts handle
	kind     uint8
	bits     spanBits
}

type spanBits uint8

const (
	// spanKernel tells the spans of Seqlink's receivers from those of SDKs.
	spanKernel spanBits = 1 << iota
	// spanHasIsRemote and spanIsRemote are the flags of the same names.
	spanHasIsRemote
	spanIsRemote
	// spanParentKnown stays once the parent was seen, even when the index has
	// forgotten it since.
	spanParentKnown
	// spanParentInside is set when the parent is in the same segment and came first.
	spanParentInside
)

func (b spanBits) has(bit spanBits) bool { return b&bit != 0 }

// Handles that stand for spans which the index does not hold.
const (
	// spanUnindexed has no trace id and is passed on as it is.
	spanUnindexed handle = 0
	// spanDuplicate is not passed on.
	spanDuplicate handle = 1<<32 - 1
)

// incoming tells whether s is the receiving end of a call.
func (s *span) incoming() bool {
	kind := ptrace.SpanKind(s.kind)
	return kind == ptrace.SpanKindServer || kind == ptrace.SpanKindConsumer
}

// outgoing tells whether s is the sending end of a call.
func (s *span) outgoing() bool {
	kind := ptrace.SpanKind(s.kind)
	return kind == ptrace.SpanKindClient || kind == ptrace.SpanKindProducer
}

// parentIsRemote tells whether the parent lives in another process. Spans that
// carry no has_is_remote flag are judged by their kind.
func (s *span) parentIsRemote() bool {
	if s.bits.has(spanHasIsRemote) {
		return s.bits.has(spanIsRemote)
	}
	return s.bits.has(spanKernel) || s.incoming() || ptrace.SpanKind(s.kind) == ptrace.SpanKindUnspecified
}

// namesParent tells whether s names a parent. A span that names itself has none.
func (s *span) namesParent() bool { return !s.parent.IsEmpty() && s.parent != s.id }

// plain tells whether nothing but the id and the segment of s matters once it left:
// spans of SDKs, and those with contexts, may still become parents in a chain.
func (s *span) plain() bool { return s.bits.has(spanKernel) && s.contexts == 0 }

// compareSpans orders by earliest start, then smallest span id, then smallest
// trace id: the order in which ties between roots are broken.
func (x *index) compareSpans(a, b *span) int {
	if c := cmp.Or(cmp.Compare(a.start, b.start), bytes.Compare(a.id[:], b.id[:])); c != 0 {
		return c
	}
	ta, tb := x.segments.At(a.segment).trace, x.segments.At(b.segment).trace
	return bytes.Compare(ta[:], tb[:])
}

func idKey(id pcommon.SpanID) uint64 { return binary.BigEndian.Uint64(id[:]) }
