// Package sink is the backend of the linker's benchmarks: an OTLP server that counts
// spans without decoding them, and checks a part of the traces.
package sink

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/seqlink/seqlink/test/linker/load"
)

// checkOneIn is which part of the traces is checked.
const checkOneIn = 64

// Sink takes what load.Sender sent once it came through a collector.
type Sink struct {
	// Endpoint is where it listens.
	Endpoint string
	// Spans counts the spans that came.
	Spans atomic.Uint64

	server   *grpc.Server
	expect   *load.Generator
	mu       sync.Mutex
	checked  map[uint64]*trace
	repeated uint64
}

// trace is what came of a trace that is checked.
type trace struct {
	ids   map[[16]byte]int
	spans uint64 // bit set
	wrong int    // parents
}

// Start begins to listen on a free port of the loopback.
func Start() (*Sink, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	s := &Sink{Endpoint: listener.Addr().String(), expect: load.NewGenerator(0, 0, load.Mix{}), checked: map[uint64]*trace{}}
	s.server = grpc.NewServer(grpc.ForceServerCodec(load.RawCodec{}), grpc.UnknownServiceHandler(s.export),
		grpc.MaxRecvMsgSize(64<<20), grpc.ReadBufferSize(256<<10), grpc.InitialWindowSize(4<<20), grpc.InitialConnWindowSize(16<<20))
	go func() { _ = s.server.Serve(listener) }()
	return s, nil
}

// Stop ends the server.
func (s *Sink) Stop() { s.server.Stop() }

// export answers every call as the trace service does.
func (s *Sink) export(_ any, stream grpc.ServerStream) error {
	var request []byte
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	s.Spans.Add(uint64(s.walk(request)))
	var empty []byte
	return stream.SendMsg(&empty)
}

// walk counts the spans of a request and checks those of some traces.
func (s *Sink) walk(request []byte) (spans int) {
	each(request, load.FieldResourceSpans, func(resourceSpans []byte) {
		each(resourceSpans, load.FieldScopeSpans, func(scopeSpans []byte) {
			each(scopeSpans, load.FieldSpans, func(span []byte) {
				spans++
				s.check(span)
			})
		})
	})
	return spans
}

// each calls f with every field of bytes that has this number.
func each(message []byte, number protowire.Number, f func([]byte)) {
	for len(message) > 0 {
		n, kind, tag := protowire.ConsumeTag(message)
		if tag < 0 {
			return
		}
		if n == number && kind == protowire.BytesType {
			value, size := protowire.ConsumeBytes(message[tag:])
			if size < 0 {
				return
			}
			f(value)
			message = message[tag+size:]
			continue
		}
		size := protowire.ConsumeFieldValue(n, kind, message[tag:])
		if size < 0 {
			return
		}
		message = message[tag+size:]
	}
}

// check looks at a span if its trace is one of those that are checked.
func (s *Sink) check(span []byte) {
	if id, ok := leadingID(span); ok && !isChecked(id) {
		return
	}
	var traceID [16]byte
	var id, parent uint64
	for len(span) > 0 {
		n, kind, tag := protowire.ConsumeTag(span)
		size := protowire.ConsumeFieldValue(n, kind, span[tag:])
		if tag < 0 || size < 0 {
			return
		}
		value := span[tag : tag+size]
		switch {
		case kind != protowire.BytesType:
		case n == load.FieldTraceID && size == 17:
			traceID = [16]byte(value[1:]) // behind the length
		case n == load.FieldSpanID && size == 9:
			id = binary.BigEndian.Uint64(value[1:])
		case n == load.FieldParentSpanID && size == 9:
			parent = binary.BigEndian.Uint64(value[1:])
		}
		span = span[tag+size:]
	}
	if isChecked(id) {
		n, i := load.SpanOf(id)
		s.note(n, i, traceID, parent)
	}
}

func isChecked(id uint64) bool {
	n, _ := load.SpanOf(id)
	return n%checkOneIn == 0
}

// leadingID returns the id of a span that begins with trace id and span id, as
// encoders in order of field numbers write it. Most spans need not be read further.
func leadingID(span []byte) (id uint64, ok bool) {
	const (
		traceTag, spanTag = byte(load.FieldTraceID)<<3 | byte(protowire.BytesType), byte(load.FieldSpanID)<<3 | byte(protowire.BytesType)
		spanAt            = 18
		idAt              = spanAt + 2
	)
	if len(span) < idAt+8 || span[0] != traceTag || span[1] != 16 || span[spanAt] != spanTag || span[spanAt+1] != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(span[idAt:]), true
}

func (s *Sink) note(n uint64, i int, traceID [16]byte, parent uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.checked[n]
	if t == nil {
		t = &trace{ids: map[[16]byte]int{}}
		s.checked[n] = t
	}
	if t.spans&(1<<i) != 0 {
		s.repeated++
		return
	}
	t.spans |= 1 << i
	t.ids[traceID]++
	parents := s.expect.Expect(n)
	want := uint64(0)
	if i < len(parents) && parents[i] >= 0 {
		want = load.SpanNumber(n, parents[i])
	}
	if parent != want {
		t.wrong++
	}
}

// Result says what came of the traces that are checked.
type Result struct {
	// Checked is the number of traces that are checked; Complete of those of which all
	// spans came; Right of those that also have one trace id and the right parents.
	Checked, Complete, Right int
	// Repeated counts spans that came twice.
	Repeated uint64
}

// Result returns what came until now of the traces from first to last, last excluded.
func (s *Sink) Result(first, last uint64) Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := Result{Repeated: s.repeated}
	for n := (first + checkOneIn - 1) / checkOneIn * checkOneIn; n < last; n += checkOneIn {
		r.Checked++
		t := s.checked[n]
		if t == nil || t.spans != 1<<len(s.expect.Expect(n))-1 {
			continue
		}
		r.Complete++
		if len(t.ids) == 1 && t.wrong == 0 {
			r.Right++
		}
	}
	return r
}
