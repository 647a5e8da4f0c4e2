package ebpfspanreceiver

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
)

// references goes through all that a pipeline refers to, as the garbage collector does.
type references struct {
	seen map[reference]bool
	// to are the addresses that are referred to, spare those of what may be used again.
	to, spare map[unsafe.Pointer]bool
}

type reference struct {
	address unsafe.Pointer
	of      reflect.Type
}

// referencesOf goes through what p refers to, but for what may be used again.
func referencesOf(p *pipeline) *references {
	r := &references{map[reference]bool{}, map[unsafe.Pointer]bool{}, map[unsafe.Pointer]bool{}}
	r.follow(reflect.ValueOf(p))
	return r
}

// reused are the requests and exchanges that may be used again though they are referred to.
func (r *references) reused() (n int) {
	for address := range r.spare {
		if r.to[address] {
			n++
		}
	}
	return n
}

func (r *references) follow(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		r.point(v)
	case reflect.Interface:
		if !v.IsNil() {
			r.follow(v.Elem())
		}
	case reflect.Struct:
		r.fields(v)
	case reflect.Slice, reflect.Array:
		if !plain(v.Type().Elem()) {
			for i := range v.Len() {
				r.follow(v.Index(i))
			}
		}
	case reflect.Map:
		for i := v.MapRange(); i.Next(); {
			r.follow(i.Key())
			r.follow(i.Value())
		}
	}
}

// plain tells whether values of a type refer to nothing.
func plain(t reflect.Type) bool { return t.Kind() <= reflect.Complex128 || t.Kind() == reflect.String }

func (r *references) point(v reflect.Value) {
	if v.IsNil() || foreign(v.Type().Elem()) {
		return
	}
	address := v.UnsafePointer()
	r.to[address] = true
	if here := (reference{address, v.Type()}); !r.seen[here] {
		r.seen[here] = true
		r.follow(v.Elem())
	}
}

func (r *references) fields(v reflect.Value) {
	if foreign(v.Type()) {
		return
	}
	for i := range v.NumField() {
		if f := v.Field(i); strings.HasPrefix(v.Type().Field(i).Name, "spare") {
			for j := range f.Len() {
				r.spare[f.Index(j).UnsafePointer()] = true
			}
		} else {
			r.follow(f)
		}
	}
}

// foreign tells whether a type is somebody else's, who knows nothing of requests.
func foreign(t reflect.Type) bool {
	return t.PkgPath() != "" && !strings.Contains(t.PkgPath(), "ebpfspanreceiver")
}

// What may be used again is not referred to any more, whatever the recorded programs did.
func TestNothingIsReusedTooEarly(t *testing.T) {
	recordings, err := filepath.Glob("testdata/*.jsonl.gz")
	require.NoError(t, err)
	servers, err := filepath.Glob("testdata/servers/*.jsonl.gz")
	require.NoError(t, err)
	const every = 101 // going through everything takes a while
	for _, path := range append(recordings, servers...) {
		p, spare := newTestPipeline(t), 0
		for i, e := range recordedEvents(t, path) {
			p.event(&e)
			if i%every == 0 {
				r := referencesOf(p.pipeline)
				require.Zero(t, r.reused(), "%s, event %d", path, i)
				spare = max(spare, len(r.spare))
			}
		}
		p.finish()
		if strings.Contains(path, "servers") {
			assert.Positive(t, spare, "%s: of a server that calls nobody requests are used again", path)
		}
	}
}

// A chaotic server reads requests and answers them in any order that is possible, with any of
// its threads.
type chaoticServer struct {
	random *rand.Rand
	emit   func(capture.Event)
	now    int64
	conns  []*chaoticConn
	// requests are all that it has read.
	requests []*chaoticRequest
}

type chaoticConn struct {
	socket         uint64
	received, sent uint64
	// open are the requests without a response. unread is what is still to come of the last one's body.
	open   []*chaoticRequest
	unread int
	// unsent is the rest of a response that was begun.
	unsent string
}

type chaoticRequest struct {
	status int
	read   int64
	ended  int64
	thread uint32
}

func (s *chaoticServer) one(in int) bool { return s.random.IntN(in) == 0 }

// moved makes the event of bytes.
func (s *chaoticServer) moved(c *chaoticConn, kind capture.Kind, thread uint32, text string) {
	place := &c.received
	if kind == capture.Send {
		place = &c.sent
	}
	s.now += 1 + int64(s.random.IntN(1000))
	task := capture.Task{PID: 7, TID: thread, Waits: uint32(s.random.IntN(3)) * uint32(len(s.requests))}
	if s.one(10) {
		task.Coroutine = 1 + uint64(s.random.IntN(4))
	}
	s.emit(capture.Event{
		Kind: kind, Time: s.now, Task: task, Socket: c.socket, Offset: *place,
		Identity: capture.Identity{FirstSent: uint32(c.socket), FirstReceived: uint32(c.socket) + 1000},
		Size:     uint32(len(text)), Data: []byte(text),
	})
	*place += uint64(len(text))
}

// step lets something happen.
func (s *chaoticServer) step() {
	c := s.conns[s.random.IntN(len(s.conns))]
	switch {
	case c.unread > 0 && s.one(2):
		s.moved(c, capture.Receive, 1, strings.Repeat("b", c.unread))
		c.unread = 0
	case c.unread == 0 && len(c.open) < 3 && s.one(2):
		s.read(c)
	case len(c.open) > 0:
		s.answer(c)
	case c.unread == 0 && s.one(50):
		s.emit(capture.Event{Kind: capture.Close, Time: s.now, Task: capture.Task{PID: 7, TID: 1}, Socket: c.socket})
		*c = chaoticConn{socket: c.socket + uint64(len(s.conns))}
	}
}

func (s *chaoticServer) read(c *chaoticConn) {
	n := len(s.requests)
	r := &chaoticRequest{status: 200 + s.random.IntN(4), thread: 1 + uint32(s.random.IntN(3))}
	head := fmt.Sprintf("POST /%d HTTP/1.1\r\nHost: x\r\n", n)
	if s.one(8) {
		head += fmt.Sprintf("X-Request-Id: %032d\r\n", n)
	}
	body := ""
	if s.one(3) {
		c.unread = s.random.IntN(5)
		body = "bb"
	}
	head += fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body)+c.unread)
	s.requests, c.open = append(s.requests, r), append(c.open, r)
	if s.one(4) {
		s.moved(c, capture.Receive, r.thread, head[:20])
		r.read = s.now
		head = head[20:]
	}
	s.moved(c, capture.Receive, r.thread, head+body)
	if r.read == 0 {
		r.read = s.now
	}
}

func (s *chaoticServer) answer(c *chaoticConn) {
	r := c.open[0]
	thread := r.thread
	if s.one(4) {
		thread = 1 + uint32(s.random.IntN(4))
	}
	text := c.unsent
	if text == "" {
		text = fmt.Sprintf("HTTP/1.1 %d OK\r\nContent-Length: 2\r\n\r\nok", r.status)
	}
	if n := len(text) - 1; s.one(3) && n > 0 {
		s.moved(c, capture.Send, thread, text[:n])
		c.unsent = text[n:]
		return
	}
	s.moved(c, capture.Send, thread, text)
	r.ended, c.unsent, c.open = s.now, "", c.open[1:]
}

// However requests, responses and threads come, each span is that of one request, and nothing is used again that
// is referred to.
func TestReusedRequestsAreNotMixedUp(t *testing.T) {
	for seed := range uint64(6) {
		p := newTestPipeline(t)
		var batches []ptrace.Traces
		p.emit = func(batch ptrace.Traces) { batches = append(batches, batch) }
		events, spare := 0, 0
		s := &chaoticServer{random: rand.New(rand.NewPCG(seed, 1)), now: 1e9}
		s.emit = func(e capture.Event) {
			p.event(&e)
			if events++; events%31 == 0 {
				r := referencesOf(p.pipeline)
				require.Zero(t, r.reused(), "seed %d, event %d", seed, events)
				spare = max(spare, len(r.spare))
			}
		}
		for i := range uint64(6) {
			s.conns = append(s.conns, &chaoticConn{socket: 1 + i})
		}
		for range 3000 {
			s.step()
		}
		p.finish()
		assert.Positive(t, spare)
		s.assertSpans(t, batches)
	}
}

// assertSpans checks that the spans are those of the answered requests.
func (s *chaoticServer) assertSpans(t *testing.T, batches []ptrace.Traces) {
	t.Helper()
	type answer struct {
		status           int64
		read, ended      int64
		thread, bodySize int64
	}
	got, want := map[string]answer{}, map[string]answer{}
	for n, r := range s.requests {
		if r.ended != 0 {
			want[fmt.Sprint("/", n)] = answer{status: int64(r.status), read: r.read, ended: r.ended, thread: int64(r.thread), bodySize: 2}
		}
	}
	for _, batch := range batches {
		for _, span := range batch.ResourceSpans().At(0).ScopeSpans().At(0).Spans().All() {
			value := func(key string) int64 {
				v, _ := span.Attributes().Get(key)
				return v.Int()
			}
			path, _ := span.Attributes().Get("url.path")
			if _, failed := span.Attributes().Get("error.type"); failed {
				continue
			}
			require.NotContains(t, got, path.Str())
			got[path.Str()] = answer{
				status: value("http.response.status_code"), read: int64(span.StartTimestamp()), ended: int64(span.EndTimestamp()),
				thread: value("thread.id"), bodySize: value("http.response.body.size"),
			}
		}
	}
	require.Equal(t, want, got)
}
