package http1

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/protocoltest"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/thin"
)

// thinnedFixture has a parser that keeps a part of the requests.
func thinnedFixture(t *testing.T, ratio float64) *fixture {
	f := newFixture(t, everything)
	thinner := thin.New(nil, func() int64 { return 0 }, zap.NewNop())
	thinner.Enable()
	thinner.Aim(ratio)
	thinner.Tick(1e18)
	f.losses = &loss.Counts{}
	f.parser = New(Options{Thinner: thinner}, f.losses).NewParser(f.conn, f.sink)
	f.handler = f.parser
	return f
}

// Exchanges that are left out keep all their phases, and whatever their messages look
// like, the next one is read right.
func TestThinnedExchangesAreStillFollowed(t *testing.T) {
	requests := []string{
		"GET /a HTTP/1.1\r\nHost: x\r\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n",
		"POST /b HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody",
		"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"HEAD /d HTTP/1.1\r\n\r\n",
	}
	responses := []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
		"HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n",
	}
	f := thinnedFixture(t, 0.5)
	const n = 400
	for i := range n {
		f.received(requests[i%4])
		f.sent(responses[i%4])
	}
	require.Len(t, f.sink.exchanges, n)
	require.Zero(t, f.sink.open())
	kept := 0
	for i, e := range f.sink.exchanges {
		assert.Equal(t, e.Key()>>63 == 0, e.Thinning.Out, "half of all keys")
		assert.True(t, e.Response.Complete)
		if e.Thinning.Out {
			assert.Nil(t, e.Details)
			assert.Empty(t, e.Contexts)
			continue
		}
		kept++
		assert.Equal(t, fmt.Sprintf("/%c", 'a'+i%4), protocoltest.Value(e, "url.path"))
	}
	assert.InDelta(t, n/2, kept, n/8)
	assert.Empty(t, f.lost())
	f.close(1)
}

func TestBothEndsThinAlike(t *testing.T) {
	client, server := thinnedFixture(t, 0.3), thinnedFixture(t, 0.3)
	server.conn.Identity.FirstSent, server.conn.Identity.FirstReceived = 1, 2
	client.conn.Identity.FirstSent, client.conn.Identity.FirstReceived = 2, 1
	for range 300 {
		const request, response = "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
		client.sent(request)
		server.received(request)
		server.sent(response)
		client.received(response)
	}
	require.Len(t, client.sink.exchanges, 300)
	for i, c := range client.sink.exchanges {
		assert.Equal(t, protocol.Client, c.Side)
		assert.Equal(t, c.Thinning, server.sink.exchanges[i].Thinning)
	}
}

// Exchanges that the kernel side leaves out are no loss, at either end, and those that
// it delivers are read as if nothing was missing.
func TestExchangesLeftOutByTheKernelSide(t *testing.T) {
	const post = "POST /b HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody"
	for _, requests := range []conn.Direction{conn.Sent, conn.Received} {
		for name, responses := range map[string]struct {
			text    string
			payload int
		}{
			"whole":      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", everything},
			"long":       {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: " + strings.Repeat("x", 100) + "\r\n\r\nok", 64},
			"lost chunk": {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: " + strings.Repeat("x", 100) + "\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 64},
		} {
			f := newFixture(t, responses.payload)
			const n = 20
			place := uint64(0)
			var places []uint64
			for i := range n {
				places = append(places, place)
				f.move(requests, post)
				f.move(requests.Opposite(), responses.text)
				place += uint64(len(post))
				for range i % 3 {
					f.leave(requests, 60)
					f.leave(requests.Opposite(), 200)
					place += 60
				}
			}
			require.Len(t, f.sink.exchanges, n, name)
			f.close(conn.Forgotten)
			for i, e := range f.sink.exchanges {
				assert.Equal(t, places[i], e.Place, name)
				assert.Equal(t, "/b", protocoltest.Value(e, "url.path"), name)
				assert.Equal(t, "200", protocoltest.Value(e, "http.response.status_code"), name)
				assert.True(t, e.Request.Complete, name)
				if i < n-1 {
					assert.Empty(t, e.ErrorType, name)
				}
			}
			lost := f.lost()
			delete(lost, "head_too_long")
			assert.Empty(t, lost, name)
		}
	}
}

// A client that sends its next request before it has the whole response makes the
// kernel side leave out the rest of it: that exchange is ended and counted, and the
// next one is right.
func TestAResponseCutByALeftOutRequest(t *testing.T) {
	f := newFixture(t, everything)
	f.received(get)
	f.sent("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nthe first part")
	f.leave(conn.Received, 50)
	f.leave(conn.Sent, 986+40)
	f.received("GET /next HTTP/1.1\r\n\r\n")
	f.sent(ok)
	require.Len(t, f.sink.exchanges, 2)
	require.Zero(t, f.sink.open())
	first, next := f.sink.exchanges[0], f.sink.exchanges[1]
	assert.False(t, first.Response.Complete)
	assert.Equal(t, map[string]int64{"stream_gap": 1}, f.lost())
	assert.True(t, next.Response.Complete)
	assert.Equal(t, "/next", protocoltest.Value(next, "url.path"))
	f.close(conn.Closed)
}

// The kernel side is told of a connection only where each of its turns was a request.
func TestRegularConnections(t *testing.T) {
	for name, c := range map[string]struct {
		play func(f *fixture)
		want bool
	}{
		"one":       {func(f *fixture) { f.received(get) }, false},
		"kept":      {func(f *fixture) { f.received(get); f.sent(ok); f.received(get) }, true},
		"pipelined": {func(f *fixture) { f.received(get + get); f.sent(ok + ok); f.received(get) }, false},
		"overlapping": {func(f *fixture) {
			f.received(get)
			f.sent(ok[:20])
			f.received(get)
			f.sent(ok[20:] + ok)
			f.received(get)
		}, false},
		"behind a newline": {func(f *fixture) { f.received(get); f.sent(ok); f.received("\r\n" + get) }, false},
	} {
		f := newFixture(t, everything)
		c.play(f)
		p := f.parser.(*parser)
		last := f.sink.exchanges[len(f.sink.exchanges)-1]
		assert.Equal(t, c.want, !p.pipelined && last.Place > 0, name)
	}
}
