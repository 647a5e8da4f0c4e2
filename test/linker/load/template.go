// Package load makes the load of the linker's tests and benchmarks: segments of
// traces as Seqlink's receivers hand them over, as OTLP messages that are put
// together from prepared bytes, so that the generator takes little of the machine on
// which it measures.
package load

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Hosts is the number of hosts whose agents send; services are spread over them.
const Hosts = 2

// HostSkew is how much, in nanoseconds, the clock of the second host is ahead.
const HostSkew = 20_000_000

// MinSpans and MaxSpans bound the spans of a trace.
const (
	MinSpans = 4
	MaxSpans = 40
)

const (
	scopeName = "github.com/seqlink/seqlink/receiver/ebpfspanreceiver"
	// templates is the number of different shapes of traces.
	templates = 128
	// maxCalls bounds the calls of one request.
	maxCalls = 4
	// traceTime is how long a trace takes, in nanoseconds.
	traceTime = 50_000_000
)

// Flags of opentelemetry-proto's SpanFlags.
const (
	flagHasIsRemote = 0x100
	flagIsRemote    = 0x200
)

// service is a program that serves one route and calls others.
type service struct {
	name, route string
	// calls are the numbers of those that it calls; none for those that call nobody.
	calls []int
}

// services are those of Istio's bookinfo, with what stands around them. They call
// those behind them only, so that no request comes back to where it was.
var services = []service{
	0:  {"nginx", "/productpage", []int{1}},
	1:  {"productpage", "/productpage?u=normal", []int{2, 3, 4, 5, 7, 8, 11}},
	2:  {"details", "/details/0", []int{9, 11}},
	3:  {"reviews-v1", "/reviews/0", []int{9}},
	4:  {"reviews-v2", "/reviews/0", []int{6, 9}},
	5:  {"reviews-v3", "/reviews/0", []int{6, 9, 11}},
	6:  {"ratings", "/ratings/0", []int{9, 10}},
	7:  {"users", "/users/42/profile", []int{10, 11}},
	8:  {"recommendations", "/recommendations/0?limit=10", []int{2, 6, 11}},
	9:  {"mongodb", "/ratings.find", nil},
	10: {"mysqldb", "/select", nil},
	11: {"redis", "/get", nil},
}

// spanShape is one span of a template.
type spanShape struct {
	service int
	server  bool
	// parent is the number of the parent in the template, -1 for none.
	parent int
	// segment is the number of the segment: the request in one process.
	segment int
	// start and end are nanoseconds from the trace's begin.
	start, end int64
	// wire is the marshalled span; the offsets say where ids and times are in it.
	wire                                      []byte
	traceAt, spanAt, parentAt, startAt, endAt int
}

// Template is the shape of a trace.
type Template struct {
	spans []spanShape
	// segments are the numbers of each segment's spans.
	segments [][]int
}

// newTemplates returns the same templates each time.
func newTemplates() []*Template {
	rng := rand.New(rand.NewPCG(7, 11))
	all := make([]*Template, templates)
	for i := range all {
		all[i] = newTemplate(rng)
	}
	return all
}

// pending is a call that a service received.
type pending struct {
	service, parent int
	start, end      int64
}

func newTemplate(rng *rand.Rand) *Template {
	t := &Template{}
	want := MinSpans + rng.IntN(MaxSpans-MinSpans+1)
	calls := []pending{{service: 0, parent: -1, end: traceTime}}
	for len(calls) > 0 && len(t.spans) < want {
		calls = append(calls[1:], t.serve(rng, calls[0], want)...)
	}
	// Short ones are made again: calls may end at services that call nobody.
	if len(t.spans) < MinSpans {
		return newTemplate(rng)
	}
	for i := range t.spans {
		t.spans[i].marshal(rng)
	}
	return t
}

// serve adds a segment, the request and its calls, and returns those calls.
func (t *Template) serve(rng *rand.Rand, c pending, want int) []pending {
	segment := len(t.segments)
	server := t.add(spanShape{service: c.service, server: true, parent: c.parent, segment: segment, start: c.start, end: c.end})
	callees := services[c.service].calls
	if len(callees) == 0 {
		return nil
	}
	var calls []pending
	n := 1 + rng.IntN(maxCalls)
	step := (c.end - c.start) / int64(n+1)
	for i := range n {
		if len(t.spans) >= want {
			break
		}
		start := c.start + int64(i)*step + step/8
		client := t.add(spanShape{service: c.service, parent: server, segment: segment, start: start, end: start + step})
		calls = append(calls, pending{callees[rng.IntN(len(callees))], client, start + step/8, start + step - step/8})
	}
	return calls
}

func (t *Template) add(s spanShape) int {
	n := len(t.spans)
	t.spans = append(t.spans, s)
	if s.segment == len(t.segments) {
		t.segments = append(t.segments, nil)
	}
	t.segments[s.segment] = append(t.segments[s.segment], n)
	return n
}

// marshal prepares the bytes of s, shaped as the receiver's spans are.
func (s *spanShape) marshal(rng *rand.Rand) {
	td := ptrace.NewTraces()
	ps := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	var ids [4]uint64
	for i := range ids {
		ids[i] = rng.Uint64() | 1<<63 // no id is found by chance
	}
	times := [2]uint64{rng.Uint64() | 1, rng.Uint64() | 1}
	ps.SetTraceID(traceID(ids[0], ids[1]))
	ps.SetSpanID(spanID(ids[2]))
	ps.SetParentSpanID(spanID(ids[3]))
	ps.SetStartTimestamp(pcommon.Timestamp(times[0]))
	ps.SetEndTimestamp(pcommon.Timestamp(times[1]))
	s.describe(ps)
	whole, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
	if err != nil {
		panic(err) // the same input each time
	}
	s.wire = innermost(whole)
	trace, span, parent := traceID(ids[0], ids[1]), spanID(ids[2]), spanID(ids[3])
	s.traceAt, s.spanAt, s.parentAt = s.find(trace[:]), s.find(span[:]), s.find(parent[:])
	s.startAt = s.find(binary.LittleEndian.AppendUint64(nil, times[0]))
	s.endAt = s.find(binary.LittleEndian.AppendUint64(nil, times[1]))
}

func (s *spanShape) find(pattern []byte) int {
	at := bytes.Index(s.wire, pattern)
	if at < 0 {
		panic(fmt.Sprintf("no %x in a marshalled span", pattern))
	}
	return at
}

// describe gives a span about the attributes that the receiver gives it.
func (s *spanShape) describe(ps ptrace.Span) {
	service := services[s.service]
	ps.SetName("GET")
	attributes := ps.Attributes()
	attributes.PutInt("thread.id", int64(1000+s.service))
	attributes.PutStr("http.request.method", "GET")
	attributes.PutInt("http.response.status_code", 200)
	attributes.PutInt("http.response.body.size", 1294)
	attributes.PutStr("url.path", service.route)
	attributes.PutStr("network.protocol.version", "1.1")
	attributes.PutStr("server.address", service.name+".bookinfo.svc")
	if s.server {
		ps.SetKind(ptrace.SpanKindServer)
		ps.SetFlags(flagHasIsRemote | flagIsRemote)
		attributes.PutStr("client.address", "10.42.0.17")
		return
	}
	ps.SetKind(ptrace.SpanKindClient)
	ps.SetFlags(flagHasIsRemote)
	attributes.PutStr("seqlink.link.method", "goroutine")
	attributes.PutDouble("seqlink.link.confidence", 1)
}
