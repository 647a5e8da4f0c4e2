package ebpfspanreceiver

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// A program that writes much at once writes more than one event carries.
type bulk struct{ size, calls, concurrent int }

func (b bulk) String() string { return fmt.Sprintf("%d bytes, %d at once", b.size, b.concurrent) }

// bulks are calls, some short ones of which many go into one system call.
var bulks = []bulk{{1 << 10, 1000, 256}, {20 << 10, 600, 64}, {100 << 10, 300, 32}, {1 << 20, 60, 16}}

// roomy gives the buffer room for what many calls at full speed leave behind in a moment.
func roomy(c *Config) { c.RingBufferSize, c.HTTP.Query = 64<<20, "keep" }

// assertEverything checks that so many spans are there at both ends, and nothing was lost.
func (b *bench) assertEverything(r *spanReceiver, spans int, keys ...string) pairs {
	b.t.Helper()
	p := b.pairs()
	assert.Len(b.t, p.clients, spans)
	assert.Len(b.t, p.servers, spans)
	for id, client := range p.clients {
		server, ok := p.servers[id]
		if !assert.True(b.t, ok, "%s has no other end", client.Name()) {
			break
		}
		assert.Equal(b.t, client.Name(), server.Name())
		for _, key := range keys {
			assert.Equal(b.t, valueOf(client, key), valueOf(server, key), key)
		}
	}
	r.stats.losses.Each(func(reason loss.Reason, n int64) { assert.Zero(b.t, n, reason) })
	return p
}

// assertNumbers checks that each call has its status.
func (p pairs) assertNumbers(t *testing.T) {
	for _, s := range p.clients {
		var number int
		_, err := fmt.Sscanf(s.Name(), "bulk.Bulk/number%d", &number)
		require.NoError(t, err)
		want := "OK"
		if number%10 == 0 {
			want = "NOT_FOUND"
		}
		assert.Equal(t, want, valueOf(s, "rpc.response.status_code"))
	}
}

// Long messages of many streams at once: grpc-go writes and reads 32 KiB of them at a time.
func TestLongGRPC(t *testing.T) {
	program := buildGo(t, "./testdata/servers/bulkgrpc", false)
	for _, tt := range bulks {
		t.Run(tt.String(), func(t *testing.T) {
			b := newBench(t)
			port := freePort(t)
			b.start("bulk", program, "server", port, fmt.Sprint(tt.size))
			awaitListening(t, port)
			b.prepare("caller", program, "client", port, fmt.Sprint(tt.size), fmt.Sprint(tt.calls), fmt.Sprint(tt.concurrent))
			r := b.trace(roomy)
			b.assertEverything(r, tt.calls, "rpc.method", "rpc.response.status_code").assertNumbers(t)
		})
	}
}

// nginx writes vectors, as far as the socket has room, and reads whatever comes.
func TestLongGRPCThroughNginx(t *testing.T) {
	const config = `
daemon off; pid nginx.pid; error_log stderr;
events {}
http {
	access_log off; client_max_body_size 0; keepalive_requests 100000; http2_max_concurrent_streams 1000;
	upstream back { server 127.0.0.1:%s; keepalive 64; }
	server { listen 127.0.0.1:%s http2; location / { grpc_pass grpc://back; } }
}
`
	program := buildGo(t, "./testdata/servers/bulkgrpc", false)
	for _, tt := range bulks[1:] {
		t.Run(tt.String(), func(t *testing.T) {
			b := newBench(t)
			dir := t.TempDir()
			front, back := freePort(t), freePort(t)
			require.NoError(t, os.WriteFile(filepath.Join(dir, "nginx.conf"), fmt.Appendf(nil, config, back, front), 0o600))
			b.start("bulk", program, "server", back, fmt.Sprint(tt.size))
			b.start("proxy", "nginx", "-p", dir, "-c", "nginx.conf", "-g", "master_process off;")
			awaitListening(t, back)
			awaitListening(t, front)
			b.prepare("caller", program, "client", front, fmt.Sprint(tt.size), fmt.Sprint(tt.calls), fmt.Sprint(tt.concurrent))
			r := b.trace(roomy)
			b.assertEverything(r, 2*tt.calls, "rpc.method", "rpc.response.status_code").assertNumbers(t)
		})
	}
}

// Node writes vectors of hundreds of pieces.
func TestLongNodeHTTP2(t *testing.T) {
	script, err := filepath.Abs("testdata/servers/http2.js")
	require.NoError(t, err)
	for _, tt := range bulks {
		t.Run(tt.String(), func(t *testing.T) {
			b := newBench(t)
			port := freePort(t)
			b.start("items", "node", script, "server", port, fmt.Sprint(tt.size))
			awaitListening(t, port)
			b.prepare("caller", "node", script, "client", port, fmt.Sprint(tt.calls), fmt.Sprint(tt.concurrent), fmt.Sprint(tt.size))
			r := b.trace(roomy)
			p := b.assertEverything(r, tt.calls, "url.query", "http.response.status_code", "http.response.body.size", "http.request.body.size")
			for _, s := range p.clients {
				var number int
				_, err := fmt.Sscanf(valueOf(s, "url.query"), "number=%d", &number)
				require.NoError(t, err)
				assert.Equal(t, fmt.Sprint(number%5*tt.size), valueOf(s, "http.response.body.size"))
				assert.Equal(t, fmt.Sprint(tt.size), valueOf(s, "http.request.body.size"))
			}
		})
	}
}
