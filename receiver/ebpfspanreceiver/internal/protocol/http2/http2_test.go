package http2

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/protocoltest"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/thin"
)

// side writes the frames of one direction.
type side struct {
	buffer  bytes.Buffer
	framer  *http2.Framer
	fields  bytes.Buffer
	encoder *hpack.Encoder
}

func newSide() *side {
	s := &side{}
	s.framer = http2.NewFramer(&s.buffer, nil)
	s.encoder = hpack.NewEncoder(&s.fields)
	return s
}

// take returns what was written since the last time.
func (s *side) take() string {
	text := s.buffer.String()
	s.buffer.Reset()
	return text
}

// block encodes fields, given as names and values.
func (s *side) block(fields ...string) []byte {
	s.fields.Reset()
	for i := 0; i < len(fields); i += 2 {
		if err := s.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}); err != nil {
			panic(err)
		}
	}
	return bytes.Clone(s.fields.Bytes())
}

func (s *side) headers(stream uint32, end bool, fields ...string) *side {
	must(s.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: s.block(fields...), EndStream: end, EndHeaders: true,
	}))
	return s
}

func (s *side) data(stream uint32, end bool, text string) *side {
	must(s.framer.WriteData(stream, end, []byte(text)))
	return s
}

func (s *side) reset(stream uint32, code http2.ErrCode) *side {
	must(s.framer.WriteRSTStream(stream, code))
	return s
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// call opens a stream with a gRPC request of one message.
func (s *side) call(stream uint32, method string, more ...string) *side {
	fields := append([]string{
		":method", "POST", ":scheme", "http", ":path", method, ":authority", "svc.test:50051",
		"content-type", "application/grpc", "user-agent", "grpc-go/1.83.0", "te", "trailers",
	}, more...)
	return s.headers(stream, false, fields...).data(stream, true, message("hello"))
}

// answer answers a gRPC request with one message.
func (s *side) answer(stream uint32, status string) *side {
	return s.headers(stream, false, ":status", "200", "content-type", "application/grpc").
		data(stream, false, message("world")).headers(stream, true, "grpc-status", status, "grpc-message", "")
}

func message(text string) string { return "\x00\x00\x00\x00" + string(rune(len(text))) + text }

func get(path string) []string {
	return []string{":method", "GET", ":scheme", "http", ":path", path, ":authority", "svc.test"}
}

func newWire(t *testing.T, o Options, payload int, place uint64) *protocoltest.Wire {
	return protocoltest.New(t, func(losses *loss.Counts) protocol.Protocol { return New(o, losses) }, payload, place)
}

// link is a wire with the two directions' writers.
type link struct {
	*protocoltest.Wire
	client, server *side
}

func newLink(t *testing.T, payload int) *link {
	return &link{newWire(t, Options{}, payload, 0), newSide(), newSide()}
}

// begin begins the connection.
func (l *link) begin() *link {
	must(l.client.framer.WriteSettings(http2.Setting{ID: http2.SettingEnablePush, Val: 0}))
	l.Sent(preface + l.client.take())
	must(l.server.framer.WriteSettings())
	must(l.server.framer.WriteSettingsAck())
	l.Received(l.server.take())
	must(l.client.framer.WriteSettingsAck())
	l.Sent(l.client.take())
	return l
}

func (l *link) sends() { l.Sent(l.client.take()) }
func (l *link) gets()  { l.Received(l.server.take()) }

func briefly(e *protocol.Exchange) string {
	return fmt.Sprintf("%d %s %s%s %s %t", e.Place, e.Name, protocoltest.Value(e, "rpc.response.status_code"),
		protocoltest.Value(e, "http.response.status_code"), e.ErrorType, e.Response.Complete)
}

func brief(exchanges []*protocol.Exchange) (all []string) {
	for _, e := range exchanges {
		all = append(all, briefly(e))
	}
	return all
}

func TestGRPCCall(t *testing.T) {
	l := newLink(t, protocoltest.Everything).begin()
	l.client.call(1, "/shop.Cart/Add", "Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"x-datadog-trace-id", "123", "x-datadog-parent-id", "456")
	l.sends()
	l.server.answer(1, "0")
	l.gets()
	e := l.Exchanges()
	require.Equal(t, []string{"1 shop.Cart/Add OK  true"}, brief(e))
	assert.Equal(t, protocol.Client, e[0].Side)
	assert.Len(t, e[0].Contexts, 2)
	assert.True(t, e[0].Request.Complete)
	for key, want := range map[string]string{
		"rpc.system.name": "grpc", "rpc.method": "shop.Cart/Add", "server.address": "svc.test", "server.port": "50051",
		"network.protocol.name": "http", "network.protocol.version": "2", "network.peer.address": "10.0.0.2",
		"http.request.method": "",
	} {
		assert.Equal(t, want, protocoltest.Value(e[0], key), key)
	}
	assert.Equal(t, []string{"began 1", "read 1", "answered 1", "ended 1"}, l.Sink.Log)
	assert.Empty(t, l.Lost())
}

func TestHTTPRequest(t *testing.T) {
	l := newLink(t, protocoltest.Everything).begin()
	l.client.headers(1, true, append(get("/items/7?token=secret"), "user-agent", "curl/8")...)
	l.sends()
	l.server.headers(1, false, ":status", "103", "link", "</a.css>").headers(1, false, ":status", "404").data(1, true, "no such item")
	l.gets()
	e := l.Exchanges()
	require.Equal(t, []string{"1 GET 404 404 true"}, brief(e))
	for key, want := range map[string]string{
		"http.request.method": "GET", "url.path": "/items/7", "url.query": "token=REDACTED", "url.scheme": "http",
		"server.address": "svc.test", "server.port": "80", "user_agent.original": "curl/8",
		"http.request.body.size": "0", "http.response.body.size": "12",
	} {
		assert.Equal(t, want, protocoltest.Value(e[0], key), key)
	}
}

// Statuses are failures of the side that the semantic conventions name.
func TestGRPCFailures(t *testing.T) {
	for _, tt := range []struct{ status, client, server string }{
		{"0", "", ""},
		{"5", "NOT_FOUND", ""},
		{"13", "INTERNAL", "INTERNAL"},
		{"12", "UNIMPLEMENTED", "UNIMPLEMENTED"},
		{"1", "CANCELLED", ""},
		{"77", "77", ""},
	} {
		for _, server := range []bool{false, true} {
			client, answers := newSide(), newSide()
			w := newWire(t, Options{}, protocoltest.Everything, 0)
			first, second := conn.Sent, conn.Received
			want := tt.client
			if server {
				first, second, want = second, first, tt.server
			}
			client.call(1, "/a.B/C")
			w.Move(first, preface+client.take())
			answers.answer(1, tt.status)
			w.Move(second, answers.take())
			e := w.Exchanges()
			require.Len(t, e, 1)
			assert.Equal(t, want, e[0].ErrorType, "%+v server=%t", tt, server)
			assert.Equal(t, want != "", e[0].Failed)
			if server && tt.status == "12" {
				assert.Equal(t, "_OTHER", protocoltest.Value(e[0], "rpc.method"))
				assert.Equal(t, "a.B/C", protocoltest.Value(e[0], "rpc.method_original"))
				assert.Equal(t, "grpc", e[0].Name)
			}
		}
	}
}

// Trailers alone answer a call that failed at once.
func TestTrailersOnly(t *testing.T) {
	l := newLink(t, protocoltest.Everything).begin()
	l.client.call(1, "/a.B/C")
	l.sends()
	l.server.headers(1, true, ":status", "200", "content-type", "application/grpc", "grpc-status", "14")
	l.gets()
	assert.Equal(t, []string{"1 a.B/C UNAVAILABLE UNAVAILABLE true"}, brief(l.Exchanges()))
}

// Any number of streams may be open at once, answered in any order, with their frames between
// each other, and in system calls of any size.
func TestManyStreamsAtOnce(t *testing.T) {
	for _, payload := range []int{protocoltest.Everything} {
		for _, size := range []int{0, 1, 7, 100, 5000} {
			for _, n := range []int{2, 3, 64, 1000} {
				l := newLink(t, payload).begin()
				l.Size = size
				random := rand.New(rand.NewPCG(uint64(n), uint64(size)))
				for i := range n {
					l.client.call(uint32(2*i+1), fmt.Sprintf("/a.B/M%d", i))
				}
				l.sends()
				require.Len(t, l.Sink.Exchanges, n)
				var parts [][]func()
				for i := range n {
					stream := uint32(2*i + 1)
					parts = append(parts, []func(){
						func() { l.server.headers(stream, false, ":status", "200", "content-type", "application/grpc") },
						func() { l.server.data(stream, false, message(strings.Repeat("x", i%50))) },
						func() { l.server.headers(stream, true, "grpc-status", fmt.Sprint(i%17)) },
					})
				}
				for len(parts) > 0 {
					i := random.IntN(len(parts))
					parts[i][0]()
					if parts[i] = parts[i][1:]; len(parts[i]) == 0 {
						parts = append(parts[:i], parts[i+1:]...)
					}
				}
				l.gets()
				e := l.Exchanges()
				require.Len(t, e, n)
				for i := range e {
					status := statuses[i%17]
					failure := status
					if status == "OK" {
						failure = ""
					}
					require.Equal(t, fmt.Sprintf("%d a.B/M%d %s %s true", 2*i+1, i, status, failure), briefly(e[i]))
				}
				require.Empty(t, l.Lost())
			}
		}
	}
}

// Of large messages the bytes are counted, whatever is captured of them.
func TestMessagesThatAreNotCaptured(t *testing.T) {
	l := newLink(t, 1024).begin()
	l.client.headers(1, false, ":method", "POST", ":scheme", "http", ":path", "/upload", ":authority", "a")
	l.client.data(1, true, strings.Repeat("y", 16000))
	l.sends()
	l.server.headers(1, false, ":status", "200").data(1, true, strings.Repeat("z", 16000))
	l.gets()
	l.client.headers(3, true, get("/next")...)
	l.sends()
	l.server.headers(3, true, ":status", "204")
	l.gets()
	e := l.Exchanges()
	assert.Equal(t, []string{"1 POST 200  true", "3 GET 204  true"}, brief(e))
	assert.EqualValues(t, 16000, e[0].Request.Size)
	assert.EqualValues(t, 16000, e[0].Response.Size)
	assert.Equal(t, "/next", protocoltest.Value(e[1], "url.path"))
	assert.Empty(t, l.Lost())
}

// After bytes were missed, what refers to them is unknown, and what does not is right.
func TestFieldsThatWereMissedAreUnknown(t *testing.T) {
	for _, missed := range []int{1, 2, 5} {
		l := newLink(t, protocoltest.Everything).begin()
		l.client.headers(1, true, append(get("/known/before"), "user-agent", "one")...)
		l.sends()
		l.server.headers(1, true, ":status", "200")
		l.gets()
		for i := range missed {
			l.client.headers(uint32(3+2*i), true, append(get(fmt.Sprintf("/missed/%d", i)), "user-agent", "two")...)
		}
		l.Lose(conn.Sent, len(l.client.take()))
		next := uint32(3 + 2*missed)
		// The first two refer to entries that were missed or have been moved by them.
		l.client.headers(next, true, append(get("/missed/0"), "user-agent", "one")...)
		l.client.headers(next+2, true, append(get("/known/before"), "user-agent", "two")...)
		l.client.headers(next+4, true, append(get("/after"), "user-agent", "three")...)
		l.client.headers(next+6, true, append(get("/after"), "user-agent", "three")...)
		l.sends()
		for i := range uint32(4) {
			l.server.headers(next+2*i, true, ":status", "200")
		}
		l.gets()
		l.Close(conn.Closed)
		e := l.Exchanges()
		require.Len(t, e, 5)
		for i, want := range []string{"/known/before", "", "", "/after", "/after"} {
			assert.Equal(t, want, protocoltest.Value(e[i], "url.path"), i)
			assert.Equal(t, "GET", e[i].Name)
		}
		for i, want := range []string{"one", "", "", "three", "three"} {
			assert.Equal(t, want, protocoltest.Value(e[i], "user_agent.original"), i)
		}
		assert.Equal(t, map[string]int64{"stream_gap": 1}, l.Lost())
	}
}

// A table that begins in the middle never gives a wrong value, whatever the peer's encoder did
// before and does afterwards.
func TestTablesThatBeginInTheMiddle(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	told, unknown := 0, 0
	for range 300 {
		s := newSide()
		known, late := table{fresh: true}, table{}
		if random.IntN(3) == 0 {
			s.encoder.SetMaxDynamicTableSizeLimit(largestTable)
			s.encoder.SetMaxDynamicTableSize(uint32(random.IntN(largestTable)))
		}
		for i := range 60 {
			if random.IntN(20) == 0 {
				s.encoder.SetMaxDynamicTableSize(uint32(random.IntN(8192)))
			}
			var fields []string
			for range 1 + random.IntN(8) {
				fields = append(fields, fmt.Sprintf("name-%d", random.IntN(20)), strings.Repeat("v", random.IntN(200))+fmt.Sprint(random.IntN(30)))
			}
			b := s.block(fields...)
			if i > 0 && random.IntN(15) == 0 && i < 40 {
				late.forget()
				require.True(t, known.read(b, false, func(string, string) {}))
				continue // nobody sees it
			}
			var all []string
			require.True(t, known.read(b, false, func(name, value string) { all = append(all, name, value) }))
			require.Equal(t, fields, all)
			if i < 20 {
				continue // before it was seen
			}
			n := 0
			late.read(b, false, func(name, value string) {
				if name == "" {
					unknown++
				} else {
					told++
					require.Equal(t, fields[2*n], name)
					if value != "" {
						require.Equal(t, fields[2*n+1], value)
					}
				}
				n++
			})
		}
	}
	assert.NotZero(t, told)
	assert.NotZero(t, unknown)
}

func TestConnectionOlderThanTheCollector(t *testing.T) {
	old := newLink(t, protocoltest.Everything).begin()
	old.client.call(1, "/a.B/C")
	old.client.take()
	old.server.answer(1, "0")
	old.server.take()
	l := &link{newWire(t, Options{}, protocoltest.Everything, 1000), old.client, old.server}
	l.client.call(3, "/a.B/C")
	l.client.call(5, "/a.B/New")
	l.sends()
	l.server.answer(3, "0").answer(5, "5")
	l.gets()
	e := l.Exchanges()
	// The status and the path of the first are entries of the table that was not seen.
	assert.Equal(t, []string{"3 grpc   true", "5 a.B/New   true"}, brief(e))
	assert.Equal(t, protocol.Client, e[0].Side)
}

func TestContinuationPaddingPriority(t *testing.T) {
	l := newLink(t, protocoltest.Everything).begin()
	b := l.client.block(append(get("/long"), "user-agent", strings.Repeat("u", 300))...)
	must(l.client.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: b[:10], EndStream: true, PadLength: 17,
		Priority: http2.PriorityParam{StreamDep: 0, Weight: 200, Exclusive: true},
	}))
	must(l.client.framer.WriteContinuation(1, false, b[10:50]))
	must(l.client.framer.WriteContinuation(1, true, b[50:]))
	must(l.client.framer.WritePriority(3, http2.PriorityParam{Weight: 7}))
	l.Size = 5
	l.sends()
	must(l.server.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: l.server.block(":status", "200"), EndHeaders: true}))
	must(l.server.framer.WriteDataPadded(1, true, []byte("body"), make([]byte, 9)))
	l.gets()
	e := l.Exchanges()
	assert.Equal(t, []string{"1 GET 200  true"}, brief(e))
	assert.Equal(t, "/long", protocoltest.Value(e[0], "url.path"))
	assert.Len(t, protocoltest.Value(e[0], "user_agent.original"), 300)
	assert.Empty(t, l.Lost())
}

func TestPushesAreFollowedAndMakeNoSpan(t *testing.T) {
	l := newLink(t, protocoltest.Everything).begin()
	l.client.headers(1, true, get("/page")...)
	l.sends()
	must(l.server.framer.WritePushPromise(http2.PushPromiseParam{
		StreamID: 1, PromiseID: 2, BlockFragment: l.server.block(get("/pushed.css")...), EndHeaders: true,
	}))
	l.server.headers(2, false, ":status", "200", "etag", "abc").data(2, true, "css")
	l.server.headers(1, true, ":status", "200", "etag", "abc")
	l.gets()
	assert.Equal(t, []string{"1 GET 200  true"}, brief(l.Exchanges()))
	assert.Empty(t, l.Lost())
}

func TestStreamsThatEndEarly(t *testing.T) {
	call := func(l *link) { l.client.call(1, "/a.B/C").headers(3, true, get("/x")...); l.sends() }
	for name, tt := range map[string]struct {
		act  func(l *link)
		want []string
	}{
		"client cancels": {
			func(l *link) { l.client.reset(1, http2.ErrCodeCancel).reset(3, http2.ErrCodeCancel); l.sends() },
			[]string{"1 a.B/C CANCELLED CANCELLED false", "3 GET  CANCEL false"},
		},
		"server refuses": {
			func(l *link) {
				l.server.reset(1, http2.ErrCodeRefusedStream).reset(3, http2.ErrCodeRefusedStream)
				l.gets()
			},
			[]string{"1 a.B/C UNAVAILABLE UNAVAILABLE false", "3 GET  REFUSED_STREAM false"},
		},
		"going away": {
			func(l *link) {
				must(l.server.framer.WriteGoAway(1, http2.ErrCodeNo, []byte("enough of that")))
				l.server.answer(1, "0")
				l.gets()
			},
			[]string{"1 a.B/C OK  true", "3 GET  REFUSED_STREAM false"},
		},
		"after a whole response": {
			func(l *link) {
				l.server.answer(1, "0").reset(1, http2.ErrCodeNo).headers(3, true, ":status", "200")
				l.gets()
			},
			[]string{"1 a.B/C OK  true", "3 GET 200  true"},
		},
		"connection ends": {
			func(l *link) { l.Close(conn.Reset) },
			[]string{"1 a.B/C  connection_reset false", "3 GET  connection_reset false"},
		},
	} {
		l := newLink(t, protocoltest.Everything).begin()
		call(l)
		tt.act(l)
		assert.Equal(t, tt.want, brief(l.Exchanges()), name)
	}
}

func TestStreamsBeyondTheBoundAreCounted(t *testing.T) {
	l := newLink(t, protocoltest.Everything).begin()
	for i := range maxOpen + 10 {
		l.client.headers(uint32(2*i+1), true, get("/")...)
	}
	l.sends()
	assert.Len(t, l.Sink.Exchanges, maxOpen)
	for i := range maxOpen + 10 {
		l.server.headers(uint32(2*i+1), true, ":status", "200")
	}
	l.gets()
	assert.Len(t, l.Exchanges(), maxOpen)
	assert.Equal(t, map[string]int64{"pipeline_full": 10}, l.Lost())
}

// Where the beginnings of frames were lost, segments that begin with frames tell them again.
func TestFramesAreFoundAgain(t *testing.T) {
	l := newLink(t, 1024).begin()
	l.client.headers(1, true, get("/big")...)
	l.sends()
	l.server.headers(1, false, ":status", "200").data(1, false, strings.Repeat("z", 16000)).data(1, false, strings.Repeat("z", 16000))
	l.server.data(1, true, strings.Repeat("z", 500))
	l.gets()
	l.client.headers(3, true, get("/next")...)
	l.sends()
	l.server.headers(3, true, ":status", "204")
	l.gets()
	l.Clock += 11e9
	l.Parser.Tick(l.Clock)
	e := l.Exchanges()
	assert.Equal(t, []string{"1 GET 200  false", "3 GET 204  true"}, brief(e))
	assert.Equal(t, map[string]int64{"head_too_long": 1, "stream_gap": 1}, l.Lost())
}

// Servers may read a frame's header and its payload apart.
// Where the kernel side says that a frame begins, what follows on a gap is read from its first byte on, if it may be one.
func TestFramesAreFoundWhereTheKernelSaysSo(t *testing.T) {
	for _, told := range []bool{false, true} {
		l := newLink(t, protocoltest.Everything).begin()
		l.client.call(1, "/a.B/C").call(3, "/a.B/D")
		l.sends()
		l.server.headers(1, false, ":status", "200", "content-type", "application/grpc").data(1, false, message("lost"))
		l.Lose(conn.Received, len(l.server.take()))
		l.Frames = told
		l.Received(strings.Repeat("no frames", 10))
		l.server.headers(1, true, "grpc-status", "0") // trailers alone say little
		l.gets()
		l.server.headers(3, true, "grpc-status", "5")
		l.gets()
		l.Close(conn.Closed)
		want := []string{"1 a.B/C   false", "3 a.B/D   false"}
		if told {
			want = []string{"1 a.B/C OK  true", "3 a.B/D NOT_FOUND NOT_FOUND true"}
		}
		assert.Equal(t, want, brief(l.Exchanges()), "told: %v", told)
	}
}

// What is left of a response is not known after a gap: nobody can say that the connection's end broke it off.
func TestGapsAreNoErrors(t *testing.T) {
	l := newLink(t, protocoltest.Everything).begin()
	l.client.call(1, "/a.B/C")
	l.sends()
	l.Lose(conn.Received, 40000)
	l.server.reset(99, http2.ErrCodeNo) // nothing by which frames are found again
	l.Received(l.server.take()[4:])
	l.client.call(3, "/a.B/D")
	l.sends()
	l.Close(conn.Closed)
	assert.Equal(t, []string{"1 a.B/C   false", "3 a.B/D   false"}, brief(l.Exchanges()))
	assert.Equal(t, map[string]int64{"stream_gap": 3}, l.Lost())
}

func TestFramesAreFoundAgainInPieces(t *testing.T) {
	l := newLink(t, protocoltest.Everything).begin()
	l.Lose(conn.Sent, 100)
	for i := range uint32(3) {
		l.client.headers(2*i+1, true, get("/next")...)
		frame := l.client.take()
		l.Sent(frame[:headerSize])
		l.Sent(frame[headerSize:])
	}
	l.Close(conn.Closed)
	e := l.Exchanges()
	require.Len(t, e, 3)
	assert.Equal(t, "/next", protocoltest.Value(e[0], "url.path"))
	assert.Less(t, e[0].Request.First.Time, e[0].Request.Last.Time)
}

func TestTasksOfStreams(t *testing.T) {
	l := newLink(t, protocoltest.Everything).begin()
	p := l.Parser.(protocol.Multiplexed)
	p.Asked(3, conn.Origin{Time: 3})
	p.Asked(1, conn.Origin{Time: 1})
	p.Asked(1, conn.Origin{Time: 2}) // who writes it
	l.client.call(1, "/a.B/C").call(3, "/a.B/C").call(5, "/a.B/C")
	l.sends()
	l.server.answer(1, "0").answer(3, "0").answer(5, "0")
	l.gets()
	e := l.Exchanges()
	require.Len(t, e, 3)
	assert.EqualValues(t, 1, e[0].Asked.Time)
	assert.EqualValues(t, 3, e[1].Asked.Time)
	assert.Nil(t, e[2].Asked)

	w := newWire(t, Options{}, protocoltest.Everything, 0)
	client := newSide()
	client.call(1, "/a.B/C").call(3, "/a.B/C")
	w.Received(preface + client.take())
	p = w.Parser.(protocol.Multiplexed)
	p.Taken(3, conn.Origin{Time: 7})
	p.Taken(3, conn.Origin{Time: 8})
	p.Taken(9, conn.Origin{Time: 9})
	w.Close(conn.Closed)
	assert.Equal(t, []string{"began 1", "read 1", "whole 1", "began 3", "read 3", "whole 3", "taken 3", "ended 1", "ended 3"}, w.Sink.Log)
	assert.EqualValues(t, 7, w.Exchanges()[1].Taken.Time)
}

// What is left out goes through its phases and has no details; both ends leave the same out.
func TestThinnedStreams(t *testing.T) {
	thinner := thin.New(nil, func() int64 { return 0 }, zap.NewNop())
	thinner.Enable()
	thinner.Aim(0.25)
	for i := range int64(4) {
		thinner.Tick(i * 10e9)
	}
	var kept [2][]uint64
	for side := range kept {
		w := newWire(t, Options{Thinner: thinner}, protocoltest.Everything, 0)
		w.Conn.Identity = capture.Identity{FirstSent: 1, FirstReceived: 2}
		requests, answers := conn.Sent, conn.Received
		if side == 1 {
			w.Conn.Identity = capture.Identity{FirstSent: 2, FirstReceived: 1}
			requests, answers = answers, requests
		}
		client, server := newSide(), newSide()
		for i := range uint32(400) {
			client.call(2*i+1, "/a.B/C", "traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
			server.answer(2*i+1, "0")
		}
		w.Move(requests, preface+client.take())
		w.Move(answers, server.take())
		exchanges := w.Exchanges()
		assert.Len(t, exchanges, 400)
		for _, e := range exchanges {
			assert.True(t, e.Response.Complete)
			if !e.Thinning.Out {
				kept[side] = append(kept[side], e.Place)
			}
		}
	}
	assert.Equal(t, kept[0], kept[1])
	assert.InDelta(t, 100, len(kept[0]), 40)
}
