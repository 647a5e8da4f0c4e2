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
// Stored form, version 2; numbers are unsigned varints unless said otherwise:
//
//	version (1 byte), published (8 bytes, big-endian Unix nanoseconds)
//	number of segments, each: trace id (16), bits (1: kernel 1, named 2, continues
//	    another 4, randomness 8), if named: name (16), sequence number, decision (1),
//	    if its randomness is explicit: that number, if it continues: that incoming
//	    trace id (16)
//	number of plain spans, each: number of its segment times 2, plus 1 when it has a
//	    parent, span id (8), parent span id (8) if it has one
//	number of full spans, each: number of its segment, span id (8), parent span id
//	    (8), start, end, kind (1), bits (1), number of contexts, each: trace id (16),
//	    span id (8), verdict (1)
type publication struct {
	published time.Time
	segments  []recordedSegment
	spans     []plainSpan
	full      []recordedSpan
}

// recordedSegment is a segment and the name under which its spans left, if they did.
type recordedSegment struct {
	trace  pcommon.TraceID
	kernel bool
	name   name
	// continues is the incoming trace id where the segment goes on for a full one.
	continues pcommon.TraceID
}

// plainSpan is a plain span of the segment with this number. Its parent is recorded
// only when it may be in another segment.
type plainSpan struct {
	segment    int
	id, parent pcommon.SpanID
}

// recordedSpan is any other span of the segment with this number.
type recordedSpan struct {
	segment int
	arrival
}

const publicationVersion = 2

// Bits of a recorded segment.
const (
	recordedKernel = 1 << iota
	recordedName
	recordedContinues
	recordedRandomness
)

// Lower bounds of the encoded sizes, in bytes, which bound the counts that a
// corrupt record can claim.
const (
	minSegmentLen = 16 + 1
	minPlainLen   = 1 + 8
	minFullLen    = 1 + 8 + 8 + 1 + 1 + 1 + 1 + 1
	minContextLen = 16 + 8 + 1
)

var errShortRecord = errors.New("record is cut short")

// encode returns the stored form of p.
func (p *publication) encode() []byte {
	b := make([]byte, 0, 16+48*len(p.segments)+20*len(p.spans)+80*len(p.full))
	b = append(b, publicationVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(p.published.UnixNano()))
	b = binary.AppendUvarint(b, uint64(len(p.segments)))
	for i := range p.segments {
		b = p.segments[i].append(b)
	}
	b = binary.AppendUvarint(b, uint64(len(p.spans)))
	for i := range p.spans {
		b = p.spans[i].append(b)
	}
	b = binary.AppendUvarint(b, uint64(len(p.full)))
	for i := range p.full {
		b = p.full[i].append(b)
	}
	return b
}

func (s *recordedSegment) append(b []byte) []byte {
	b = append(b, s.trace[:]...)
	b = append(b, s.bits())
	if s.name.published() {
		b = append(b, s.name.trace[:]...)
		b = binary.AppendUvarint(b, s.name.seq)
		b = append(b, byte(s.name.decision))
	}
	if s.name.explicit {
		b = binary.AppendUvarint(b, s.name.randomness)
	}
	if !s.continues.IsEmpty() {
		b = append(b, s.continues[:]...)
	}
	return b
}

func (s *recordedSegment) bits() (bits byte) {
	if s.kernel {
		bits |= recordedKernel
	}
	if s.name.published() {
		bits |= recordedName
	}
	if !s.continues.IsEmpty() {
		bits |= recordedContinues
	}
	if s.name.explicit {
		bits |= recordedRandomness
	}
	return bits
}

func (s *plainSpan) append(b []byte) []byte {
	number := uint64(s.segment) << 1
	if !s.parent.IsEmpty() {
		number |= 1
	}
	b = binary.AppendUvarint(b, number)
	b = append(b, s.id[:]...)
	if !s.parent.IsEmpty() {
		b = append(b, s.parent[:]...)
	}
	return b
}

func (s *recordedSpan) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(s.segment))
	b = append(b, s.id[:]...)
	b = append(b, s.parent[:]...)
	b = binary.AppendUvarint(b, uint64(s.start))
	b = binary.AppendUvarint(b, uint64(s.end))
	b = append(b, byte(s.kind), byte(s.bits))
	b = binary.AppendUvarint(b, uint64(len(s.contexts)))
	for _, c := range s.contexts {
		b = append(b, c.trace[:]...)
		b = append(b, c.span[:]...)
		b = append(b, byte(c.verdict))
	}
	return b
}

// decodePublication reads what encode wrote.
func decodePublication(b []byte) (publication, error) {
	d := decoder{rest: b}
	if v := d.byte(); d.err == nil && v != publicationVersion {
		return publication{}, fmt.Errorf("record has version %d, want %d", v, publicationVersion)
	}
	p := publication{published: time.Unix(0, int64(binary.BigEndian.Uint64(d.bytes(8))))}
	p.segments = make([]recordedSegment, d.count(minSegmentLen))
	for i := range p.segments {
		d.segment(&p.segments[i])
	}
	p.spans = make([]plainSpan, d.count(minPlainLen))
	for i := range p.spans {
		d.plain(&p.spans[i], len(p.segments))
	}
	p.full = make([]recordedSpan, d.count(minFullLen))
	for i := range p.full {
		d.full(&p.full[i], len(p.segments))
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

func (d *decoder) segment(s *recordedSegment) {
	s.trace = pcommon.TraceID(d.bytes(16))
	bits := d.byte()
	s.kernel = bits&recordedKernel != 0
	if bits&recordedName != 0 {
		s.name.trace = pcommon.TraceID(d.bytes(16))
		s.name.seq = d.uvarint()
		s.name.decision = decision(d.atMost(byte(dropByApp)))
	}
	if bits&recordedRandomness != 0 {
		s.name.randomness, s.name.explicit = d.uvarint(), true
	}
	if bits&recordedContinues != 0 {
		s.continues = pcommon.TraceID(d.bytes(16))
	}
	if d.err == nil && s.trace.IsEmpty() {
		d.fail(errors.New("a segment has no trace id"))
	}
}

func (d *decoder) plain(s *plainSpan, segments int) {
	number := d.uvarint()
	s.segment = d.below(number>>1, segments)
	s.id = pcommon.SpanID(d.bytes(8))
	if number&1 != 0 {
		s.parent = pcommon.SpanID(d.bytes(8))
	}
}

func (d *decoder) full(s *recordedSpan, segments int) {
	s.segment = d.below(d.uvarint(), segments)
	s.id = pcommon.SpanID(d.bytes(8))
	s.parent = pcommon.SpanID(d.bytes(8))
	s.start = pcommon.Timestamp(d.uvarint())
	s.end = pcommon.Timestamp(d.uvarint())
	s.kind = ptrace.SpanKind(d.byte())
	s.bits = spanBits(d.byte())
	for range d.count(minContextLen) {
		s.contexts = append(s.contexts, spanContext{
			contextRef{trace: pcommon.TraceID(d.bytes(16)), span: pcommon.SpanID(d.bytes(8))},
			verdict(d.atMost(byte(verdictKeep))),
		})
	}
}

func (d *decoder) byte() byte { return d.bytes(1)[0] }

// atMost reads a byte that may not be larger than limit.
func (d *decoder) atMost(limit byte) byte {
	b := d.byte()
	if b > limit {
		d.fail(fmt.Errorf("value %d, at most %d is known", b, limit))
		return 0
	}
	return b
}

// below checks that a number is one of n.
func (d *decoder) below(number uint64, n int) int {
	if number >= uint64(n) {
		d.fail(fmt.Errorf("number %d of %d segments", number, n))
		return 0
	}
	return int(number)
}

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
