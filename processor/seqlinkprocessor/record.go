package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// publication is what stays of a batch after its spans left: enough to join late
// spans to them and to give these the same name. It is written before the batch
// leaves, so that a name never changes once a next consumer has seen it.
//
// Stored form, version 1; numbers are unsigned varints unless said otherwise:
//
//	version (1 byte), published (8 bytes, big-endian Unix nanoseconds)
//	number of names, each: incoming trace id (16), name (16), sequence number
//	number of spans, each: trace id (16), span id (8), parent span id (8), start,
//	    end, flags, kind (1), bits (1: kernel 1, parent known 2), number of
//	    contexts, each: trace id (16), span id (8)
type publication struct {
	published time.Time
	names     []segmentName
	spans     []span
}

// segmentName says under which name a segment's spans left.
type segmentName struct {
	trace pcommon.TraceID
	name  name
}

const publicationVersion = 1

const (
	bitKernel      = 1
	bitParentKnown = 2
)

// Lower bounds of the encoded sizes, in bytes, which bound the counts that a
// corrupt record can claim.
const (
	minNameLen    = 16 + 16 + 1
	minSpanLen    = 16 + 8 + 8 + 1 + 1 + 1 + 1 + 1 + 1
	minContextLen = 16 + 8
)

var errShortRecord = errors.New("record is cut short")

// encode returns the stored form of p. Duplicates and spans without a trace id
// are left out: nothing can join them.
func (p *publication) encode() []byte {
	b := make([]byte, 0, 16+64*(len(p.names)+len(p.spans)))
	b = append(b, publicationVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(p.published.UnixNano()))
	b = binary.AppendUvarint(b, uint64(len(p.names)))
	for _, n := range p.names {
		b = append(b, n.trace[:]...)
		b = append(b, n.name.trace[:]...)
		b = binary.AppendUvarint(b, n.name.seq)
	}
	b = binary.AppendUvarint(b, uint64(p.indexed()))
	for i := range p.spans {
		if s := &p.spans[i]; s.indexable() {
			b = appendSpan(b, s)
		}
	}
	return b
}

// indexed counts the spans that the index knows.
func (p *publication) indexed() int {
	n := 0
	for i := range p.spans {
		if p.spans[i].indexable() {
			n++
		}
	}
	return n
}

func (s *span) indexable() bool { return !s.duplicate && !s.trace.IsEmpty() }

func appendSpan(b []byte, s *span) []byte {
	b = append(b, s.trace[:]...)
	b = append(b, s.id[:]...)
	b = append(b, s.parent[:]...)
	b = binary.AppendUvarint(b, uint64(s.start))
	b = binary.AppendUvarint(b, uint64(s.end))
	b = binary.AppendUvarint(b, uint64(s.flags))
	b = append(b, byte(s.kind), spanBits(s))
	b = binary.AppendUvarint(b, uint64(len(s.contexts)))
	for _, c := range s.contexts {
		b = append(b, c.trace[:]...)
		b = append(b, c.span[:]...)
	}
	return b
}

func spanBits(s *span) byte {
	var bits byte
	if s.kernel {
		bits |= bitKernel
	}
	if s.parentKnown {
		bits |= bitParentKnown
	}
	return bits
}

// decodePublication reads what encode wrote.
func decodePublication(b []byte) (publication, error) {
	d := decoder{rest: b}
	if v := d.byte(); d.err == nil && v != publicationVersion {
		return publication{}, fmt.Errorf("record has version %d, want %d", v, publicationVersion)
	}
	p := publication{published: time.Unix(0, int64(binary.BigEndian.Uint64(d.bytes(8))))}
	p.names = make([]segmentName, d.count(minNameLen))
	for i := range p.names {
		d.name(&p.names[i])
	}
	p.spans = make([]span, d.count(minSpanLen))
	for i := range p.spans {
		d.span(&p.spans[i])
	}
	if d.err == nil && len(d.rest) > 0 {
		d.err = fmt.Errorf("record has %d bytes too many", len(d.rest))
	}
	if d.err != nil {
		return publication{}, d.err
	}
	return p, nil
}

// decoder reads from rest and remembers the first error; after it, everything
// reads as zero.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) name(n *segmentName) {
	n.trace = pcommon.TraceID(d.bytes(16))
	n.name.trace = pcommon.TraceID(d.bytes(16))
	n.name.seq = d.uvarint()
}

func (d *decoder) span(s *span) {
	s.trace = pcommon.TraceID(d.bytes(16))
	s.id = pcommon.SpanID(d.bytes(8))
	s.parent = pcommon.SpanID(d.bytes(8))
	s.start = pcommon.Timestamp(d.uvarint())
	s.end = pcommon.Timestamp(d.uvarint())
	s.flags = uint32(d.uvarint())
	s.kind = ptrace.SpanKind(d.byte())
	bits := d.byte()
	s.kernel = bits&bitKernel != 0
	s.parentKnown = bits&bitParentKnown != 0
	for range d.count(minContextLen) {
		s.contexts = append(s.contexts, contextRef{
			trace: pcommon.TraceID(d.bytes(16)),
			span:  pcommon.SpanID(d.bytes(8)),
		})
	}
}

func (d *decoder) byte() byte { return d.bytes(1)[0] }

// bytes returns the next n bytes, n being at most 16.
func (d *decoder) bytes(n int) []byte {
	if d.err != nil || len(d.rest) < n {
		d.fail(errShortRecord)
		return make([]byte, n)
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.fail(errShortRecord)
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

// count reads the number of things that follow, each of at least minLen bytes.
func (d *decoder) count(minLen int) int {
	n := d.uvarint()
	if n > uint64(len(d.rest)/minLen) {
		d.fail(errShortRecord)
		return 0
	}
	return int(n)
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.rest = nil
}
