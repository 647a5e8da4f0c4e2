package load

import (
	"encoding/binary"
	"math"
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
	// perTrace is the mean number of spans of a trace.
	perTrace float64

	// Spans counts what was made, duplicates included; Duplicates those alone.
	Spans, Duplicates uint64
}

// lateSegment is a segment that waits for its time. It is made again when it is due,
// so that waiting takes little memory.
type lateSegment struct {
	// due is when it is sent, now when it was made, in Unix nanoseconds.
	due, now int64
	trace    uint64
	segment  int32
}

// NewGenerator returns the generator of a host whose traces begin with number first.
func NewGenerator(host int, first uint64, mix Mix) *Generator {
	g := &Generator{host: host, mix: mix, templates: newTemplates(), next: first}
	for _, s := range services {
		g.envelopes = append(g.envelopes, newEnvelope(s.name, host))
		g.parts = append(g.parts, nil)
	}
	for _, t := range g.templates {
		g.perTrace += float64(len(t.spans)) / templates
	}
	g.perTrace *= 1 + mix.Duplicate*(1-mix.Late)
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

// SpansOf returns about how many spans all hosts make of a number of traces, duplicates
// included.
func (g *Generator) SpansOf(traces uint64) float64 {
	return float64(traces) * g.perTrace
}

// Batch appends a request with at least n spans to b, which is reused, and returns it
// with the number of spans in it.
func (g *Generator) Batch(b []byte, n int, now time.Time) ([]byte, int) {
	return g.batch(b, n, math.MaxUint64, now.UnixNano(), now.UnixNano())
}

// Rest is as Batch for what is still to come of the traces before last, whenever it is
// due. It returns 0 spans when that is nothing.
func (g *Generator) Rest(b []byte, n int, last uint64, now time.Time) ([]byte, int) {
	return g.batch(b, n, last, now.UnixNano(), math.MaxInt64)
}

// batch makes a request of the segments that are due and of traces before last.
func (g *Generator) batch(b []byte, n int, last uint64, now, due int64) ([]byte, int) {
	before := g.Spans
	for int(g.Spans-before) < n {
		if s := g.late.pop(due); s != nil {
			g.emit(s.trace, int(s.segment), s.now)
		} else if g.next < last {
			g.trace(g.next, now)
			g.next++
		} else {
			break
		}
	}
	for service, spans := range g.parts {
		if len(spans) > 0 {
			b = g.envelopes[service].appendTo(b, spans)
			g.parts[service] = spans[:0]
		}
	}
	return b, int(g.Spans - before)
}

// again is how long after a segment its duplicate comes.
const again = 100 * time.Millisecond

// trace emits this host's segments of trace n, but those that come late.
func (g *Generator) trace(n uint64, now int64) {
	t := g.template(n)
	for segment, spans := range t.segments {
		if t.spans[spans[0]].service%Hosts != g.host {
			continue
		}
		chance := mix(n*slots+uint64(segment)) ^ 0x5555555555555555
		if float64(chance>>32)/(1<<32) < g.mix.Late {
			delay := g.mix.LateMin + time.Duration(chance%uint64(g.mix.LateMax-g.mix.LateMin+1))
			g.late.push(lateSegment{now + int64(delay), now, n, int32(segment)})
			continue
		}
		g.emit(n, segment, now)
		if float64(uint32(chance))/(1<<32) < g.mix.Duplicate {
			g.Duplicates += uint64(len(spans))
			g.late.push(lateSegment{now + int64(again), now, n, int32(segment)})
		}
	}
}

// emit adds a segment that was made at the time now to the batch.
func (g *Generator) emit(n uint64, segment int, now int64) {
	t := g.template(n)
	spans := t.segments[segment]
	begin := now - traceTime - int64(Hosts-1)*HostSkew + int64(g.host)*HostSkew
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
