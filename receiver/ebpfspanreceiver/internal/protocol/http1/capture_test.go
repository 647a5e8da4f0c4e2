package http1

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/protocoltest"
)

func TestPayloads(t *testing.T) {
	long := "GET /a/long/path?q=1 HTTP/1.1\r\nHost: shop.example\r\nCookie: " + strings.Repeat("c", 500) + "\r\n\r\n"
	tests := []struct {
		payload                    int
		path, host, status, length string
		lost                       map[string]int64
	}{
		{payload: 16, status: "200", lost: map[string]int64{"head_too_long": 2}},
		{payload: 64, path: "/a/long/path", host: "shop.example", status: "200", length: "5", lost: map[string]int64{"head_too_long": 1}},
		{payload: 1024, path: "/a/long/path", host: "shop.example", status: "200", length: "5", lost: map[string]int64{}},
	}
	for _, tt := range tests {
		f := newFixture(t, tt.payload)
		for range 3 {
			f.received(long)
			f.sent(ok)
		}
		f.clock += pause
		f.parser.Tick(f.clock)
		require.Zero(t, f.sink.open(), tt.payload)
		f.close(conn.Closed)
		require.Len(t, f.sink.exchanges, 3, tt.payload)
		for i, e := range f.sink.exchanges {
			assert.Equal(t, "GET", e.Name)
			assert.Equal(t, tt.path, protocoltest.Value(e, "url.path"))
			assert.Equal(t, tt.status, protocoltest.Value(e, "http.response.status_code"))
			assert.Equal(t, tt.length, protocoltest.Value(e, "http.response.body.size"))
			assert.EqualValues(t, i*len(long), e.Place)
			assert.EqualValues(t, 2*i*step+step, e.Request.First.Time)
			assert.EqualValues(t, 2*i*step+2*step, e.End.Time, "the time of its last byte")
			if tt.host != "" {
				assert.Equal(t, tt.host, protocoltest.Value(e, "server.address"))
			}
		}
		for reason := range tt.lost {
			tt.lost[reason] *= 3
		}
		assert.Equal(t, tt.lost, f.lost(), tt.payload)
	}
}

func TestTinyPayloadsInventNothing(t *testing.T) {
	for _, payload := range []int{0, 1} {
		for _, server := range []bool{true, false} {
			f := play(t, server, payload, whole, []string{get, ok, get, ok})
			assert.Empty(t, f.sink.exchanges)
		}
	}
}

// Whatever is captured, and however it comes, the first request is found once
// its first bytes are there, and all ends when the connection does.
func TestAnyPayloadKeepsTheOrder(t *testing.T) {
	for name, dialog := range dialogs {
		for _, payload := range []int{0, 1, 16, 17, 40, 64, 100, 1024} {
			for _, server := range []bool{true, false} {
				for n := range 120 {
					f := play(t, server, payload, at(n), dialog)
					if payload >= 64 {
						require.NotEmpty(t, f.sink.exchanges, "%s payload=%d cut=%d", name, payload, n)
						assert.Zero(t, f.sink.exchanges[0].Place)
					}
				}
			}
		}
	}
}

func TestLongHeadIsReadWithTheSegmentThatExceedsThePayload(t *testing.T) {
	f := newFixture(t, 64)
	f.received(get)
	require.Equal(t, []string{"began 1@0", "read 1@0"}, f.sink.log)
	assert.Equal(t, "/users/7", protocoltest.Value(f.sink.exchanges[0], "url.path"))
	f.sent(ok)
	assert.Zero(t, f.sink.open())
}

func TestLongRequestTargetIsNotCut(t *testing.T) {
	f := newFixture(t, 30)
	f.received("GET /a/path?and=a&long=query&that=ends HTTP/1.1\r\n\r\n")
	f.sent("HTTP/1.1 204 No\r\n\r\n")
	e := f.ended()
	assert.Equal(t, "/a/path", protocoltest.Value(e, "url.path"))
	assert.Empty(t, protocoltest.Value(e, "url.query"))
	assert.Empty(t, protocoltest.Value(e, "network.protocol.version"))
}

func TestBodyOfKnownLengthNeedsNoCapture(t *testing.T) {
	f := newFixture(t, 64)
	body := strings.Repeat("b", 5000)
	f.received("PUT / HTTP/1.1\r\nContent-Length: 5000\r\n\r\n")
	f.received(body)
	f.sent("HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n")
	f.sent(body[:4999])
	require.Equal(t, 1, f.sink.open())
	f.sent("b")
	e := f.ended()
	assert.Equal(t, "5000", protocoltest.Value(e, "http.request.body.size"))
	assert.Equal(t, "5000", protocoltest.Value(e, "http.response.body.size"))
	assert.Equal(t, f.clock, e.End.Time)
	assert.Empty(t, f.lost())
}

func TestChunkedBodyEndsByItsLastBytes(t *testing.T) {
	chunk := fmt.Sprintf("%x\r\n%s\r\n", 300, strings.Repeat("x", 300))
	tests := map[string][]string{
		"last chunk alone":          {chunk, chunk, chunk, "0\r\n\r\n"},
		"last chunk with others":    {chunk, chunk + chunk + "0\r\n\r\n"},
		"last chunk in two pieces":  {chunk, chunk, chunk + "0\r", "\n\r\n"},
		"all at once":               {chunk + chunk + chunk + "0\r\n\r\n"},
		"one byte is left":          {chunk, chunk, chunk + "0\r\n\r", "\n"},
		"between size and its line": {chunk + "12c\r", "\n" + chunk[5:], "0\r\n", "\r\n"},
	}
	for name, pieces := range tests {
		f := newFixture(t, 100)
		f.received(get[:60] + "\r\n\r\n")
		f.sent("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		for _, piece := range pieces {
			require.Equal(t, 1, f.sink.open(), name)
			f.sent(piece)
		}
		e := f.ended()
		assert.True(t, e.Response.Complete, name)
		assert.Equal(t, f.clock, e.End.Time, name)
		assert.Empty(t, f.lost(), name)
	}
}

func TestEmptyChunkedBodyOutsideThePayload(t *testing.T) {
	f := newFixture(t, len("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"))
	f.received("GET / HTTP/1.1\r\n\r\n")
	f.sent("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
	f.sent("0\r\n\r\n")
	assert.True(t, f.ended().Response.Complete)
}

func TestLostChunksEndWithTheNextRequest(t *testing.T) {
	f := newFixture(t, 64)
	f.received("GET /1 HTTP/1.1\r\n\r\n")
	f.sent("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
	f.sent("5\r\nhello\r\n5\r\nhello\r\n0\r\nTrailer: value\r\n\r\n")
	f.parser.Tick(f.clock + 10*pause)
	require.Equal(t, 1, f.sink.open(), "a stream may pause for long")
	end := f.clock
	f.received("GET /2 HTTP/1.1\r\n\r\n")
	require.Equal(t, 1, f.sink.open())
	assert.Equal(t, end, f.sink.exchanges[0].End.Time)
	f.sent(ok)
	assert.Zero(t, f.sink.open())
	assert.Empty(t, f.lost())
}

func TestResponseWithoutEndWaitsForAPause(t *testing.T) {
	f := newFixture(t, 20)
	f.received("GET / HTTP/1.1\r\n\r\n")
	f.sent(ok)
	end := f.clock
	f.parser.Tick(end + pause - 1)
	require.Equal(t, 1, f.sink.open())
	f.clock += pause / 2
	f.sent("more")
	f.parser.Tick(end + pause)
	require.Equal(t, 1, f.sink.open(), "more came in between")
	f.parser.Tick(f.clock + pause)
	assert.Equal(t, f.clock, f.ended().End.Time)
	f.sent("and more of it")
	f.received("GET / HTTP/1.1\r\n\r\n")
	f.sent("HTTP/1.1 204 No\r\n\r\n")
	require.Len(t, f.sink.exchanges, 2)
	assert.Equal(t, "204", protocoltest.Value(f.sink.exchanges[1], "http.response.status_code"))
}

func TestPipelinedResponsesHiddenByALongHead(t *testing.T) {
	f := newFixture(t, 64)
	f.received("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n")
	f.sent("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 80) + "\r\n\r\n" + ok)
	f.received("GET /3 HTTP/1.1\r\n\r\n")
	require.Equal(t, 1, f.sink.open())
	f.sent("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
	require.Len(t, f.sink.exchanges, 3)
	assert.Equal(t, "200", protocoltest.Value(f.sink.exchanges[0], "http.response.status_code"))
	assert.Empty(t, protocoltest.Value(f.sink.exchanges[1], "http.response.status_code"), "nobody knows")
	assert.Equal(t, "201", protocoltest.Value(f.sink.exchanges[2], "http.response.status_code"))
	assert.Equal(t, map[string]int64{"head_too_long": 1, "stream_gap": 1}, f.lost())
}

func TestHeadBufferIsBounded(t *testing.T) {
	f := newFixture(t, everything)
	f.cut = bytewise
	f.received("GET / HTTP/1.1\r\nX: " + strings.Repeat("x", 2*maxHead))
	assert.Nil(t, f.parser.(*parser).streams[conn.Received].head.buf)
	assert.Equal(t, map[string]int64{"head_too_long": 1}, f.lost())
	f.cut = nil
	f.sent(ok)
	assert.Equal(t, "200", protocoltest.Value(f.ended(), "http.response.status_code"))
}

func TestServerBodyThatWasPassedOn(t *testing.T) {
	head := "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
	tests := map[string]func(f *fixture){
		"pause":        func(f *fixture) { f.parser.Tick(f.clock + pause) },
		"next request": func(f *fixture) { f.received(get) },
		"next response": func(f *fixture) {
			f.lose(conn.Sent, 1000)
			f.received(get)
			f.sent(ok)
			require.Zero(f.t, f.sink.open())
			assert.Equal(f.t, "200", protocoltest.Value(f.sink.exchanges[1], "http.response.status_code"))
		},
		"client leaves": func(f *fixture) { f.parser.End(conn.Received, conn.EOF, f.now()); f.close(conn.Closed) },
	}
	for name, then := range tests {
		f := newFixture(t, everything)
		f.received(get)
		f.sent(head)
		end := f.clock
		then(f)
		e := f.sink.exchanges[0]
		assert.Equal(t, protocol.Ended, f.sink.phases[e], name)
		assert.Empty(t, e.ErrorType, name)
		assert.Equal(t, end, e.End.Time, name)
		assert.Empty(t, f.lost(), name)
	}
}
