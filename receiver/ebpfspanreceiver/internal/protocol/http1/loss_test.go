package http1

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/protocoltest"
)

func TestMalformed(t *testing.T) {
	const bad = "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n"
	tests := map[string]struct {
		between, response string
		lost              int64
	}{
		"binary":                    {"\x00\x01\x02", "", 1},
		"words":                     {"hello there\r\n\r\n", "", 1},
		"no version":                {"GET /\r\n\r\n", "", 1},
		"other protocol":            {"OPTIONS rtsp://h/ RTSP/1.0\r\n\r\n", "", 1},
		"preface of HTTP/2":         {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "", 1},
		"control byte in target":    {"GET /\x01 HTTP/1.1\r\n\r\n", "", 1},
		"method without end":        {strings.Repeat("A", 100), "", 1},
		"response nobody asked for": {"", "HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n", 1},
		"response that is none":     {"", "NOISE\x00", 1},
	}
	for name, tt := range tests {
		f := newFixture(t, everything)
		f.received(get)
		f.sent(ok)
		f.received(tt.between)
		if tt.between != "" {
			f.sent(bad)
		}
		f.sent(tt.response)
		require.Len(t, f.sink.exchanges, 1, name)
		assert.Equal(t, map[string]int64{"malformed_message": tt.lost}, f.lost(), name)
		f.received(get)
		f.sent(ok)
		require.Len(t, f.sink.exchanges, 2, name)
		assert.Zero(t, f.sink.open(), name)
		assert.Equal(t, "200", protocoltest.Value(f.sink.exchanges[1], "http.response.status_code"), name)
		assert.Equal(t, map[string]int64{"malformed_message": tt.lost}, f.lost(), name)
	}
}

func TestMalformedLengths(t *testing.T) {
	bad := []string{
		"Content-Length: -1", "Content-Length: 0x10", "Content-Length: ", "Content-Length: +5",
		"Content-Length: 99999999999999999999999", "Content-Length: 9223372036854775808",
		"Content-Length: 5\r\nContent-Length: 6", "Content-Length: 5, 6", "Content-Length: 5\r\n 6",
	}
	for _, field := range bad {
		f := newFixture(t, everything)
		f.received("POST / HTTP/1.1\r\n" + field + "\r\n\r\nhello")
		f.sent("HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n")
		e := f.ended()
		assert.Equal(t, map[string]int64{"malformed_message": 1}, f.lost(), field)
		assert.Equal(t, "400", protocoltest.Value(e, "http.response.status_code"), field)

		f.received(get)
		f.sent("HTTP/1.1 200 OK\r\n" + field + "\r\n\r\nhello")
		assert.Equal(t, map[string]int64{"malformed_message": 2}, f.lost(), field)
		require.Equal(t, 1, f.sink.open(), field)
		f.received(get)
		f.sent(ok)
		require.Len(t, f.sink.exchanges, 3, field)
		assert.Zero(t, f.sink.open(), field)
	}
}

func TestHugeLengthIsNoTrouble(t *testing.T) {
	f := newFixture(t, everything)
	f.received(get)
	f.sent("HTTP/1.1 200 OK\r\nContent-Length: 900000000000000000\r\n\r\nhello")
	f.lose(conn.Sent, 1<<60)
	f.sent(ok)
	assert.EqualValues(t, 900000000000000000, f.ended().Response.Size)
}

func TestMalformedChunks(t *testing.T) {
	for _, body := range []string{"zz\r\n", "\r\n", "fffffffffffffffff\r\n", "5\r\nhelloX\r\n"} {
		f := newFixture(t, everything)
		f.received(get)
		f.sent("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
		assert.Equal(t, map[string]int64{"malformed_message": 1}, f.lost(), body)
		f.received(get)
		f.sent(ok)
		require.Len(t, f.sink.exchanges, 2, body)
		assert.Zero(t, f.sink.open(), body)
	}
}

func TestOldConnections(t *testing.T) {
	tests := map[string]func(f *fixture){
		"in the middle of a response": func(f *fixture) { f.sent("ody of a response") },
		"in the middle of a head":     func(f *fixture) { f.received("cept: */*\r\n\r\n") },
		"at a response":               func(f *fixture) { f.sent("HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nabc") },
		"at a response, mid-request":  func(f *fixture) { f.received("id=1&x=2"); f.sent(ok) },
	}
	for name, begin := range tests {
		f := newFixture(t, everything)
		f.offsets = [2]uint64{12345, 54321}
		begin(f)
		require.Empty(t, f.sink.exchanges, name)
		place := f.offsets[conn.Received]
		if name != "in the middle of a head" {
			f.received(get)
			f.sent(ok)
			assert.Equal(t, place, f.ended().Place, name)
		}
		assert.Empty(t, f.lost(), name)
	}
}

func TestGapInAHead(t *testing.T) {
	f := newFixture(t, everything)
	f.received(get[:60])
	f.lose(conn.Received, 10)
	f.received(get[70:])
	e := f.sink.exchanges[0]
	assert.Equal(t, "/users/7", protocoltest.Value(e, "url.path"), "what is known is used")
	f.sent(ok)
	assert.Zero(t, f.sink.open())
	assert.Equal(t, map[string]int64{"stream_gap": 1}, f.lost())
	f.received(get)
	f.sent(ok)
	assert.Equal(t, 2, len(f.sink.exchanges))
	assert.Zero(t, f.sink.open())
}

func TestGapBeforeTheRequestIsKnown(t *testing.T) {
	f := newFixture(t, everything)
	f.received(get)
	f.sent(ok)
	f.received(get[:2])
	f.lose(conn.Received, 30)
	f.received(get[32:])
	f.sent(ok)
	require.Len(t, f.sink.exchanges, 1)
	assert.Equal(t, map[string]int64{"stream_gap": 1}, f.lost())
	f.received(get)
	f.sent(ok)
	assert.Len(t, f.sink.exchanges, 2)
	assert.Zero(t, f.sink.open())
}

func TestGapsBetweenMessages(t *testing.T) {
	created := "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"
	tests := map[string]struct {
		then     func(f *fixture)
		statuses []string
		gaps     int64
	}{
		"request and response": {func(f *fixture) {
			f.lose(conn.Received, 100)
			f.lose(conn.Sent, 100)
			f.received(get)
			f.sent(created)
		}, []string{"200", "201"}, 2},
		"response": {func(f *fixture) {
			f.received(get)
			f.lose(conn.Sent, len(ok))
			f.received(get)
			f.sent(created)
		}, []string{"200", "", "201"}, 2},
		"response and next request": {func(f *fixture) {
			f.received(get)
			f.lose(conn.Sent, len(ok))
			f.lose(conn.Received, len(get))
			f.sent(created)
		}, []string{"200", ""}, 2},
		"beginning of a response": {func(f *fixture) {
			f.received(get)
			f.lose(conn.Sent, 20)
			f.sent(ok[20:])
			f.received(get)
			f.sent(created)
		}, []string{"200", "", "201"}, 1},
		"inside a body": {func(f *fixture) {
			f.received(get)
			f.sent(ok[:len(ok)-4])
			f.lose(conn.Sent, 2)
			f.sent("lo")
		}, []string{"200", "200"}, 0},
		"the end of a body": {func(f *fixture) {
			f.received(get)
			f.sent(ok[:len(ok)-4])
			f.lose(conn.Sent, 4)
			f.received(get)
			f.sent(created)
		}, []string{"200", "200", "201"}, 0},
	}
	for name, tt := range tests {
		f := newFixture(t, everything)
		f.received(get)
		f.sent(ok)
		tt.then(f)
		var statuses []string
		for _, e := range f.sink.exchanges {
			statuses = append(statuses, protocoltest.Value(e, "http.response.status_code"))
			assert.False(t, e.Failed, name)
		}
		assert.Equal(t, tt.statuses, statuses, name)
		assert.Zero(t, f.sink.open(), name)
		assert.Equal(t, tt.gaps, f.lost()["stream_gap"], name)
		f.close(conn.Closed)
	}
}

func TestOverlapIsIgnored(t *testing.T) {
	f := newFixture(t, everything)
	f.received(get)
	f.offsets[conn.Received] -= 10
	f.received(get[len(get)-10:] + get)
	f.sent(ok + ok)
	require.Len(t, f.sink.exchanges, 2)
	assert.EqualValues(t, len(get), f.sink.exchanges[1].Place)
	assert.Empty(t, f.lost())
}

func TestEnds(t *testing.T) {
	type end struct {
		direction conn.Direction
		cause     conn.Cause
	}
	closed := []end{{conn.Received, conn.Closed}, {conn.Sent, conn.Closed}}
	left := []end{{conn.Received, conn.EOF}, {conn.Sent, conn.Closed}}
	all := func(c conn.Cause) []end { return []end{{conn.Received, c}, {conn.Sent, c}} }
	const (
		part   = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"
		inHead = "HTTP/1.1 200 OK\r\nContent-"
		open   = "HTTP/1.1 200 OK\r\n\r\nabc"
		chunk  = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
	)
	tests := map[string]struct {
		side     protocol.Side
		response string
		ends     []end
		want     string
	}{
		"server: no answer":                 {protocol.Server, "", closed, protocol.ConnectionClosed},
		"server: client left":               {protocol.Server, "", left, protocol.ClientDisconnected},
		"server: reset":                     {protocol.Server, "", all(conn.Reset), protocol.ClientDisconnected},
		"server: process ended":             {protocol.Server, "", all(conn.Exited), protocol.ProcessExited},
		"server: agent ends":                {protocol.Server, "", all(conn.Forgotten), protocol.CaptureEnded},
		"server: stops in a body":           {protocol.Server, part, closed, protocol.TruncatedResponse},
		"server: stops in a head":           {protocol.Server, inHead, closed, protocol.TruncatedResponse},
		"server: client leaves in a body":   {protocol.Server, part, left, protocol.ClientDisconnected},
		"server: shuts down without answer": {protocol.Server, "", []end{{conn.Sent, conn.EOF}, {conn.Received, conn.Closed}}, protocol.ConnectionClosed},
		"server: until close":               {protocol.Server, open, closed, ""},
		"server: until shutdown":            {protocol.Server, open, []end{{conn.Sent, conn.EOF}, {conn.Received, conn.EOF}}, ""},
		"server: until close, half-closed":  {protocol.Server, open, left, ""},
		"server: until close, then exit":    {protocol.Server, open, all(conn.Exited), protocol.ProcessExited},
		"server: stops in chunks":           {protocol.Server, chunk, closed, protocol.TruncatedResponse},
		"client: no answer":                 {protocol.Client, "", left, protocol.ConnectionClosed},
		"client: gives up":                  {protocol.Client, "", closed, protocol.ConnectionClosed},
		"client: gives up in a body":        {protocol.Client, part, closed, protocol.ConnectionClosed},
		"client: reset":                     {protocol.Client, "", all(conn.Reset), protocol.ConnectionReset},
		"client: reset in a body":           {protocol.Client, part, all(conn.Reset), protocol.ConnectionReset},
		"client: process ended":             {protocol.Client, "", all(conn.Exited), protocol.ProcessExited},
		"client: agent ends":                {protocol.Client, part, all(conn.Forgotten), protocol.CaptureEnded},
		"client: truncated":                 {protocol.Client, part, left, protocol.TruncatedResponse},
		"client: truncated chunks":          {protocol.Client, chunk, left, protocol.TruncatedResponse},
		"client: until close":               {protocol.Client, open, left, ""},
		"client: until close, reset":        {protocol.Client, open, all(conn.Reset), protocol.ConnectionReset},
	}
	for name, tt := range tests {
		f := newFixture(t, everything)
		f.move(tt.side.RequestDirection(), get)
		f.move(tt.side.RequestDirection().Opposite(), tt.response)
		require.Equal(t, 1, f.sink.open(), name)
		for _, end := range tt.ends {
			f.clock += step
			f.parser.End(end.direction, end.cause, f.now())
		}
		e := f.ended()
		assert.Equal(t, tt.want, e.ErrorType, name)
		assert.Equal(t, tt.want != "" && tt.want != protocol.CaptureEnded, e.Failed, name)
		assert.Equal(t, tt.want != "", e.ErrorMessage != "", name)
		assert.Greater(t, e.End.Time, e.Request.First.Time, name)
	}
}

func TestHalfCloseIsNoEnd(t *testing.T) {
	f := newFixture(t, everything)
	f.received(get)
	f.parser.End(conn.Received, conn.EOF, f.now())
	require.Equal(t, 1, f.sink.open())
	f.sent(ok)
	assert.Empty(t, f.ended().ErrorType)
}

func TestEndIsNeverBeforeTheBeginning(t *testing.T) {
	f := newFixture(t, everything)
	f.clock = 1000 * step
	f.received(get)
	f.clock = 10
	f.sent(ok)
	e := f.ended()
	assert.Equal(t, e.Request.First.Time, e.End.Time)
	f.received(get)
	f.clock = 0
	f.close(conn.Reset)
}
