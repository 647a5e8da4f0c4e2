package http1

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
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
		assert.Equal(t, fmt.Sprintf("/%c", 'a'+i%4), value(e, "url.path"))
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
