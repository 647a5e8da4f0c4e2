package load

import (
	"encoding/binary"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Mix says which part of the segments comes late or twice.
type Mix struct {
	// Late is the part of segments, from 0 to 1, that come LateMin to LateMax after their
	// time; Duplicate the part that comes twice.
	Late, Duplicate  float64
	LateMin, LateMax time.Duration
}

// DefaultMix is that of the benchmark.
var DefaultMix = Mix{Late: 0.05, Duplicate: 0.01, LateMin: time.Second, LateMax: 15 * time.Second}

// Generator makes the batches of one host. All hosts' generators make parts of the
// same traces. It is not safe for concurrent use.
type Generator struct {
	host      int
	mix       Mix
	templates []*Template
	envelopes []envelope
	// parts are the spans of the batch that is being made, by service.
	parts [][]byte
	next  uint64 // trace
	late  lateQueue
	now   int64

	// Spans counts what was made, duplicates included; Duplicates those alone.
	Spans, Duplicates uint64
}

// lateSegment is a segment that waits for its time.
type lateSegment struct {
	due     int64
	trace   uint64
	segment int32
}

// NewGenerator returns the generator of a host whose traces begin with number first.
func NewGenerator(host int, first uint64, mix Mix) *Generator {
	g := &Generator{host: host, mix: mix, templates: newTemplates(), next: first}
	for _, s := range services {
		g.envelopes = append(g.envelopes, newEnvelope(s.name, host))
		g.parts = append(g.parts, nil)
	}
	return g
}

func (g *Generator) template(n uint64) *Template { return g.templates[n%templates] }

// Expect returns the number of spans of trace n and, for each, the number of its
// parent, -1 for none.
func (g *Generator) Expect(n uint64) (parents []int) {
	for _, s := range g.template(n).spans {
		parents = append(parents, s.parent)
	}
	return parents
}

// Batch appends a request with at least n spans to b, which is reused, and returns it with the number
// of spans in it.
func (g *Generator) Batch(b []byte, n int, now time.Time) ([]byte, int) {
	g.now = now.UnixNano()
	before := g.Spans
	for s := g.late.pop(g.now); s != nil; s = g.late.pop(g.now) {
		g.emit(s.trace, int(s.segment))
	}
	for int(g.Spans-before) < n {
		g.trace(g.next)
		g.next++
	}
	for service, spans := range g.parts {
		if len(spans) > 0 {
			b = g.envelopes[service].appendTo(b, spans)
			g.parts[service] = spans[:0]
		}
	}
	return b, int(g.Spans - before)
}

// trace emits this host's segments of trace n, but those that come late.
func (g *Generator) trace(n uint64) {
	t := g.template(n)
	for segment, spans := range t.segments {
		if t.spans[spans[0]].service%Hosts != g.host {
			continue
		}
		chance := mix(n*slots+uint64(segment)) ^ 0x5555555555555555
		if float64(chance>>32)/(1<<32) < g.mix.Late {
			delay := g.mix.LateMin + time.Duration(chance%uint64(g.mix.LateMax-g.mix.LateMin+1))
			g.late.push(lateSegment{g.now + int64(delay), n, int32(segment)})
			continue
		}
		g.emit(n, segment)
		if float64(uint32(chance))/(1<<32) < g.mix.Duplicate {
			g.Duplicates += uint64(len(spans))
			g.late.push(lateSegment{g.now + int64(100*time.Millisecond), n, int32(segment)})
		}
	}
}

// emit adds a segment to the batch.
func (g *Generator) emit(n uint64, segment int) {
	t := g.template(n)
	spans := t.segments[segment]
	begin := g.now - 60_000_000 + int64(g.host)*HostSkew
	first := SpanNumber(n, spans[0])
	for _, i := range spans {
		s := &t.spans[i]
		part := protowire.AppendTag(g.parts[s.service], FieldSpans, protowire.BytesType)
		part = protowire.AppendVarint(part, uint64(len(s.wire)))
		at := len(part)
		part = append(part, s.wire...)
		w := part[at:]
		// Provisional trace ids derive from the first span of the segment.
		binary.BigEndian.PutUint64(w[s.traceAt:], mix(first))
		binary.BigEndian.PutUint64(w[s.traceAt+8:], mix(^first))
		binary.BigEndian.PutUint64(w[s.spanAt:], SpanNumber(n, i))
		binary.BigEndian.PutUint64(w[s.parentAt:], g.parent(n, s))
		binary.LittleEndian.PutUint64(w[s.startAt:], uint64(begin+s.start))
		binary.LittleEndian.PutUint64(w[s.endAt:], uint64(begin+s.end))
		g.parts[s.service] = part
	}
	g.Spans += uint64(len(spans))
}

// parent returns the id of a span's parent. That of the first span is a client whom
// nobody traces.
func (g *Generator) parent(n uint64, s *spanShape) uint64 {
	if s.parent < 0 {
		return SpanNumber(n, slots-1)
	}
	return SpanNumber(n, s.parent)
}
