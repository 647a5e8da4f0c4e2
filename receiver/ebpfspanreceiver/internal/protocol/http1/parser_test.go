package http1

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/protocoltest"
)

const (
	get = "GET /users/7?id=7&token=secret HTTP/1.1\r\nHost: shop.example:8080\r\nUser-Agent: test/1\r\n" +
		"TraceParent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n"
	ok = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
)

func TestServerExchange(t *testing.T) {
	f := newFixture(t, everything)
	asked, connected := &conn.Origin{Time: 1}, &conn.Origin{Time: 2}
	f.conn.Asked, f.conn.Connected = asked, connected
	f.task = capture.Task{PID: 1, TID: 2}
	f.received(get)
	f.task.TID = 3
	f.sent(ok)

	e := f.ended()
	assert.Equal(t, []string{"began 1@0", "read 1@0", "answered 1@0", "ended 1@0"}, f.sink.log)
	assert.Equal(t, protocol.Server, e.Side)
	assert.Same(t, f.conn, e.Conn)
	assert.Same(t, asked, e.Asked)
	assert.Same(t, connected, e.Connected)
	assert.Nil(t, f.conn.Asked)
	assert.Nil(t, f.conn.Connected)
	first := conn.Origin{Time: step, Task: capture.Task{PID: 1, TID: 2}}
	assert.Equal(t, protocol.Message{First: first, Last: first, Complete: true}, e.Request)
	last := conn.Origin{Time: 2 * step, Task: capture.Task{PID: 1, TID: 3}}
	assert.Equal(t, protocol.Message{First: last, Last: last, Size: 5, Complete: true}, e.Response)
	assert.Equal(t, last, e.End)
	assert.Equal(t, "GET", e.Name)
	assert.Empty(t, e.ErrorType)
	assert.False(t, e.Failed)
	require.Len(t, e.Contexts, 1)
	assert.Equal(t, "w3c", e.Contexts[0].Propagator)
	assert.Equal(t, [8]byte{0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31}, e.Contexts[0].SpanID)
	assert.Empty(t, f.lost())
	assert.Equal(t, map[string]any{
		"http.request.method":       "GET",
		"url.scheme":                "http",
		"url.path":                  "/users/7",
		"url.query":                 "id=REDACTED&token=REDACTED",
		"network.protocol.version":  "1.1",
		"server.address":            "shop.example",
		"server.port":               int64(8080),
		"user_agent.original":       "test/1",
		"network.peer.address":      "10.0.0.2",
		"network.peer.port":         int64(50000),
		"client.address":            "10.0.0.2",
		"http.response.status_code": int64(200),
		"http.response.body.size":   int64(5),
	}, protocoltest.AttributesOf(e).AsRaw())
	f.close(conn.Closed)
	assert.Len(t, f.sink.log, 4)
}

func TestClientExchange(t *testing.T) {
	f := newFixture(t, everything)
	f.sent("POST /orders HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc")
	f.received("HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n")
	e := f.ended()
	assert.Equal(t, protocol.Client, e.Side)
	assert.Equal(t, "404", e.ErrorType)
	assert.True(t, e.Failed)
	assert.Equal(t, "3", protocoltest.Value(e, "http.request.body.size"))
	assert.Equal(t, "0", protocoltest.Value(e, "http.response.body.size"))
	assert.Equal(t, "10.0.0.2", protocoltest.Value(e, "server.address"), "no Host: the peer")
	assert.Equal(t, "50000", protocoltest.Value(e, "server.port"))
	assert.Empty(t, protocoltest.Value(e, "client.address"))
	assert.Equal(t, "1.0", protocoltest.Value(e, "network.protocol.version"))
}

func TestStatusOfServerSpans(t *testing.T) {
	for status, failed := range map[int]bool{200: false, 302: false, 404: false, 499: false, 500: true, 503: true} {
		f := newFixture(t, everything)
		f.received(get)
		f.sent(fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n", status))
		e := f.ended()
		assert.Equal(t, failed, e.Failed, status)
		if failed {
			assert.Equal(t, fmt.Sprint(status), e.ErrorType)
		}
	}
}

// dialogs are exchanges that any way of cutting them into segments must show alike.
var dialogs = map[string][]string{
	"plain":            {get, ok},
	"keep alive":       {get, ok, get, ok, get, ok},
	"pipeline":         {get + get + get, ok + ok + ok},
	"request body":     {"PUT /f HTTP/1.1\r\nHost: h\r\nContent-Length: 30\r\n\r\n012345678901234567890123456789", ok},
	"chunked both":     {"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\nA\r\n0123456789\r\n3\r\n0\r\n\r\n0\r\nTrailer: x\r\n\r\n", get, ok},
	"bare newlines":    {"GET / HTTP/1.1\nHost: h\n\n", "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", get, ok},
	"empty lines":      {get, ok, "\r\n\r\n" + get, ok},
	"interim":          {"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "abc", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok, get, ok},
	"expect refused":   {"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", "HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n", "abc" + get, ok},
	"no content":       {get, "HTTP/1.1 204 No Content\r\n\r\n", get, "HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", get, ok},
	"head":             {"HEAD / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", get, ok},
	"upgrade":          {"GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x05hello", "GET / HTTP/1.1\r\n\r\n", ok},
	"connect":          {"CONNECT db.example:443 HTTP/1.1\r\nHost: db.example:443\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", "\x16\x03\x01", "\x16\x03\x03"},
	"connect refused":  {"CONNECT db.example:443 HTTP/1.1\r\n\r\n", "HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", get, ok},
	"same length said": {"PUT / HTTP/1.1\r\nContent-Length: 2, 2\r\nContent-Length: 2\r\n\r\nab", ok, get, ok},
	"obs-fold":         {"POST / HTTP/1.1\r\nTransfer-Encoding:\r\n chunked\r\nUser-Agent: a\r\n\tb\r\n\r\n0\r\n\r\n", ok, get, ok},
	"extension method": {"PROPFIND /dav HTTP/1.1\r\n\r\n", ok, get, ok},
	"absolute form":    {"GET HTTP://user:pass@proxy.example/p?q=1#f HTTP/1.1\r\nHost: other\r\n\r\n", ok},
	"until close":      {get, "HTTP/1.1 200 OK\r\n\r\nsome bytes"},
}

func play(t *testing.T, server bool, payload int, cut func([]byte) [][]byte, dialog []string) *fixture {
	f := newFixture(t, payload)
	f.cut = cut
	for i, text := range dialog {
		if (i%2 == 0) == server {
			f.received(text)
		} else {
			f.sent(text)
		}
	}
	f.parser.End(conn.Received, conn.EOF, f.now())
	f.close(conn.Closed)
	return f
}

func TestAnySegmentationGivesTheSameExchanges(t *testing.T) {
	for name, dialog := range dialogs {
		for _, server := range []bool{true, false} {
			want := play(t, server, everything, whole, dialog)
			require.NotEmpty(t, want.sink.exchanges, name)
			require.Empty(t, want.lost(), name)
			longest := 0
			for _, text := range dialog {
				longest = max(longest, len(text))
			}
			check := func(cut func([]byte) [][]byte, how string) {
				got := play(t, server, everything, cut, dialog)
				require.Equal(t, describeAll(want.sink.exchanges), describeAll(got.sink.exchanges), "%s server=%t %s", name, server, how)
				require.Empty(t, got.lost(), "%s server=%t %s", name, server, how)
			}
			check(bytewise, "byte by byte")
			for n := 1; n < longest; n++ {
				check(at(n), fmt.Sprintf("cut at %d", n))
			}
		}
	}
}

func TestDialogs(t *testing.T) {
	count := map[string]int{
		"keep alive": 3, "pipeline": 3, "chunked both": 2, "bare newlines": 2, "empty lines": 2, "interim": 2,
		"expect refused": 2, "no content": 3, "head": 2, "connect refused": 2, "same length said": 2, "obs-fold": 2, "extension method": 2,
	}
	for name, dialog := range dialogs {
		f := play(t, true, everything, whole, dialog)
		assert.Len(t, f.sink.exchanges, max(1, count[name]), name)
		for _, e := range f.sink.exchanges {
			if name != "until close" || e.ErrorType != "" {
				assert.Empty(t, e.ErrorType, name)
			}
			assert.NotEmpty(t, protocoltest.Value(e, "http.response.status_code"), name)
			assert.True(t, e.Response.Complete, name)
		}
	}
}

func TestDialogDetails(t *testing.T) {
	first := func(name string) *protocol.Exchange {
		return play(t, true, everything, whole, dialogs[name]).sink.exchanges[0]
	}
	e := first("chunked both")
	assert.Equal(t, "5", protocoltest.Value(e, "http.request.body.size"))
	assert.Equal(t, "13", protocoltest.Value(e, "http.response.body.size"))
	assert.EqualValues(t, len("5;x=y\r\nhello\r\n0\r\n\r\n"), e.Request.Size)

	e = first("interim")
	assert.Equal(t, "200", protocoltest.Value(e, "http.response.status_code"))
	assert.Equal(t, "3", protocoltest.Value(e, "http.request.body.size"))
	assert.EqualValues(t, 4*step, e.Response.First.Time, "not that of 100 Continue")

	e = first("head")
	assert.Empty(t, protocoltest.Value(e, "http.response.body.size"))

	e = first("upgrade")
	assert.Equal(t, "101", protocoltest.Value(e, "http.response.status_code"))
	assert.EqualValues(t, 2*step, e.End.Time)

	e = first("connect")
	assert.Equal(t, "db.example", protocoltest.Value(e, "server.address"))
	assert.Equal(t, "443", protocoltest.Value(e, "server.port"))
	assert.Empty(t, protocoltest.Value(e, "url.path"))

	e = first("obs-fold")
	assert.Equal(t, "a  \tb", protocoltest.Value(e, "user_agent.original"))

	e = first("extension method")
	assert.Equal(t, "HTTP", e.Name)
	assert.Equal(t, "_OTHER", protocoltest.Value(e, "http.request.method"))
	assert.Equal(t, "PROPFIND", protocoltest.Value(e, "http.request.method_original"))

	e = first("absolute form")
	assert.Equal(t, "/p", protocoltest.Value(e, "url.path"))
	assert.Equal(t, "q=REDACTED", protocoltest.Value(e, "url.query"))
	assert.Equal(t, "proxy.example", protocoltest.Value(e, "server.address"))
	assert.Equal(t, "80", protocoltest.Value(e, "server.port"))
	assert.NotContains(t, describe(e), "pass")

	e = first("until close")
	assert.Equal(t, "10", protocoltest.Value(e, "http.response.body.size"))
}

func TestFirstByteIsReadAlone(t *testing.T) {
	f := newFixture(t, everything)
	f.received(get)
	f.sent(ok)
	f.task = capture.Task{Goroutine: 1}
	f.received(get[:1])
	require.Len(t, f.sink.exchanges, 1)
	f.task = capture.Task{Goroutine: 2}
	f.received(get[1:])
	require.Len(t, f.sink.exchanges, 2)
	e := f.sink.exchanges[1]
	assert.EqualValues(t, len(get), e.Place)
	assert.EqualValues(t, 1, e.Request.First.Task.Goroutine)
	assert.EqualValues(t, 2, e.Request.Last.Task.Goroutine)
}

func TestEndsAtOnce(t *testing.T) {
	for name, response := range map[string]string{
		"length":  ok,
		"chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
		"nothing": "HTTP/1.1 204 No Content\r\n\r\n",
	} {
		f := newFixture(t, everything)
		f.cut = bytewise
		f.received(get)
		f.sent(response[:len(response)-1])
		require.Equal(t, 1, f.sink.open(), name)
		f.sent(response[len(response)-1:])
		require.Zero(t, f.sink.open(), name)
		assert.Equal(t, f.clock, f.ended().End.Time, name)
	}
}

func TestResponseBeforeTheRequestIsWhole(t *testing.T) {
	f := newFixture(t, everything)
	f.received("POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc")
	f.sent("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
	e := f.ended()
	assert.False(t, e.Request.Complete)
	before := describe(e)
	f.received("def" + get)
	f.sent(ok)
	assert.Equal(t, before, describe(e), "nothing changes after the end")
	require.Len(t, f.sink.exchanges, 2)
	assert.Zero(t, f.sink.open())
	assert.Empty(t, f.lost())
}

func TestResponseBeforeTheHeadIsWhole(t *testing.T) {
	f := newFixture(t, everything)
	f.received("GET / HTTP/1.1\r\nX: ")
	f.sent("HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n")
	f.received("y\r\n\r\n" + get)
	f.sent(ok)
	f.close(conn.Closed)
	require.Len(t, f.sink.exchanges, 2)
	assert.Equal(t, "408", protocoltest.Value(f.sink.exchanges[0], "http.response.status_code"))
	assert.Equal(t, "200", protocoltest.Value(f.sink.exchanges[1], "http.response.status_code"))
}

func TestPipelineIsBounded(t *testing.T) {
	f := newFixture(t, everything)
	head := "GET / HTTP/1.1\r\n\r\n"
	f.received(strings.Repeat(head, maxOpen+3))
	assert.Equal(t, map[string]int64{"pipeline_full": 3}, f.lost())
	f.sent(ok)
	f.received("GET /late HTTP/1.1\r\n\r\n")
	f.sent(strings.Repeat(ok, maxOpen-1))
	assert.Equal(t, 1, f.sink.open())
	f.sent(strings.Repeat(ok, 3))
	assert.Equal(t, 1, f.sink.open(), "those answered the requests that were dropped")
	f.sent("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
	require.Zero(t, f.sink.open())
	require.Len(t, f.sink.exchanges, maxOpen+1)
	last := f.sink.exchanges[maxOpen]
	assert.Equal(t, "/late", protocoltest.Value(last, "url.path"))
	assert.Equal(t, "201", protocoltest.Value(last, "http.response.status_code"))
	f.close(conn.Closed)
}
