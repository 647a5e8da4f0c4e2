package ebpfspanreceiver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// buildGo compiles a Go program of this repository, and removes its symbols where strip is true.
func buildGo(t *testing.T, source string, strip bool) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.Base(source))
	args := []string{"build", "-o", path}
	if strip {
		args = append(args, "-ldflags=-s -w")
	}
	output, err := exec.Command("go", append(args, source)...).CombinedOutput()
	require.NoError(t, err, string(output))
	return path
}

// startWith starts a server that finds what to do in its environment.
func (b *bench) startWith(service, program string, variables ...string) {
	b.t.Helper()
	b.start(service, "env", append(variables, program)...)
}

// goChain starts a service that is asked by HTTP, one behind it that is asked by gRPC, and a
// last one that both call over two connections. It returns where the first listens.
func (b *bench) goChain(program, leaf string) string {
	b.t.Helper()
	ports := []string{freePort(b.t), freePort(b.t), freePort(b.t)}
	b.startWith("leaf", leaf, "LISTEN=127.0.0.1:"+ports[2], "DELAY=5ms")
	b.startWith("back", program, "IN=grpc", "OUT=http", "SHAPE=one", "LISTEN=127.0.0.1:"+ports[1], "NEXT=127.0.0.1:"+ports[2])
	b.startWith("front", program, "IN=http", "OUT=grpc", "SHAPE=one", "LISTEN=127.0.0.1:"+ports[0], "NEXT=127.0.0.1:"+ports[1])
	for _, port := range ports {
		awaitListening(b.t, port)
	}
	return ports[0]
}

// Many streams at once on few connections, between real services: each is a span at both ends, and each
// call has the request as its parent that made it, in stripped programs as well.
func TestGRPCChain(t *testing.T) {
	requests := 400
	if *update {
		requests = 40
	}
	leaf := buildGo(t, "../../test/accuracy/programs/leaf", false)
	for name, strip := range map[string]bool{"with symbols": false, "stripped": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			port := b.goChain(buildGo(t, "../../test/accuracy/programs/gogrpc", strip), leaf)
			b.prepare("load", "curl", "-sSf", "-o", "/dev/null", "-Z", "--parallel-max", "32",
				fmt.Sprintf("http://127.0.0.1:%s/request?truth=[100001-%d]", port, 100000+requests))
			recording := filepath.Join(t.TempDir(), "r.jsonl.gz")
			if !strip {
				recording = recordingOf(t, "grpc")
			}
			r := b.trace(func(c *Config) {
				c.HTTP.Query, c.Record, c.RecordPayload = "keep", recording, true
			})
			for _, reason := range []loss.Reason{loss.StreamGap, loss.HeadTooLong, loss.MalformedMessage, loss.ProbeFailed} {
				assert.Zero(t, r.stats.losses.Get(reason), reason)
			}
			p := b.pairs()
			servers := make(map[pcommon.SpanID]ptrace.Span)
			for _, s := range p.servers {
				servers[s.SpanID()] = s
			}
			calls := 0
			for id, client := range p.clients {
				if client.ParentSpanID().IsEmpty() {
					assert.Contains(t, valueOf(client, "url.path"), "/request", "only who asks first has no parent")
					continue
				}
				calls++
				assert.Contains(t, p.servers, id, "%s has no other end", client.Name())
				assert.Equal(t, truthOf(client), truthOf(servers[client.ParentSpanID()]))
				assert.Equal(t, "goroutine", valueOf(client, "seqlink.link.method"))
			}
			assert.Equal(t, 2*requests, calls)
			live := text(b.sink.AllTraces())
			var again consumertest.TracesSink
			replay(t, recording, &again)
			assert.Equal(t, live, text(again.AllTraces()))
		})
	}
}

// truthOf is the token that a request carries.
func truthOf(s ptrace.Span) string {
	_, truth, _ := strings.Cut(valueOf(s, "rpc.method")+valueOf(s, "url.query"), "truth=")
	return truth
}

// assertSame checks that both ends' spans are each other's and tell the same.
func (p pairs) assertSame(t *testing.T, keys ...string) {
	t.Helper()
	assert.Len(t, p.servers, len(p.clients))
	for id, client := range p.clients {
		server, ok := p.servers[id]
		if !assert.True(t, ok, "%s has no other end", client.Name()) {
			continue
		}
		assert.Equal(t, client.Name(), server.Name())
		for _, key := range append(keys, "server.address", "server.port", "network.protocol.version") {
			assert.Equal(t, valueOf(client, key), valueOf(server, key), key)
		}
	}
}

// gRPC's implementation in C, with Python around it.
func TestPythonGRPC(t *testing.T) {
	const n = 500
	b := newBench(t)
	port := freePort(t)
	script, err := filepath.Abs("testdata/servers/grpc_echo.py")
	require.NoError(t, err)
	b.start("echo", "/usr/bin/python3", script, "server", port)
	awaitListening(t, port)
	b.prepare("caller", "/usr/bin/python3", script, "client", port, fmt.Sprint(n))
	r := b.trace(nil)
	p := b.pairs()
	assert.Len(t, p.clients, n)
	p.assertSame(t, "rpc.system.name", "rpc.method", "rpc.response.status_code")
	methods := map[string]int{}
	for _, s := range p.clients {
		methods[s.Name()+" "+valueOf(s, "rpc.response.status_code")+valueOf(s, "error.type")]++
	}
	assert.Equal(t, map[string]int{
		"test.Echo/Fail NOT_FOUNDNOT_FOUND": n / 10,
		"test.Echo/Say0 OK":                 150, "test.Echo/Say1 OK": 150, "test.Echo/Say2 OK": 150,
	}, methods)
	assert.Zero(t, r.stats.losses.Get(loss.MalformedMessage))
	assert.Zero(t, r.stats.losses.Get(loss.StreamGap))
}

// Node's server, and clients of Node, curl and nghttp2.
func TestForeignHTTP2(t *testing.T) {
	const n = 200
	script, err := filepath.Abs("testdata/servers/http2.js")
	require.NoError(t, err)
	for name, client := range map[string]func(port string) []string{
		"node": func(port string) []string { return []string{"node", script, "client", port, fmt.Sprint(n)} },
		"curl": func(port string) []string {
			return []string{
				"sh", "-c", `seq 0 $2 | xargs -P 4 -I {} curl -sS -o /dev/null --http2-prior-knowledge "http://127.0.0.1:$1/item?number={}"`,
				"sh", port, fmt.Sprint(n - 1),
			}
		},
		"nghttp2": func(port string) []string {
			return []string{"h2load", "-n", fmt.Sprint(n), "-c", "2", "-m", "5", "http://127.0.0.1:" + port + "/item?number=3"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			port := freePort(t)
			b.start("items", "node", script, "server", port)
			awaitListening(t, port)
			command := client(port)
			b.prepare("client", command[0], command[1:]...)
			r := b.trace(func(c *Config) { c.HTTP.Query = "keep" })
			p := b.pairs()
			assert.Len(t, p.clients, n)
			p.assertSame(t, "http.request.method", "url.path", "url.query", "http.response.status_code", "http.response.body.size")
			for _, s := range p.clients {
				var number int
				_, err := fmt.Sscanf(valueOf(s, "url.query"), "number=%d", &number)
				require.NoError(t, err)
				want := "200"
				if number%10 == 0 {
					want = "404"
				}
				assert.Equal(t, want, valueOf(s, "http.response.status_code"))
				assert.Equal(t, fmt.Sprint(number%5*300), valueOf(s, "http.response.body.size"))
			}
			assert.Zero(t, r.stats.losses.Get(loss.MalformedMessage))
			assert.Zero(t, r.stats.losses.Get(loss.StreamGap))
		})
	}
}

// nginxConfig passes gRPC on.
const nginxConfig = `
daemon off; pid nginx.pid; error_log stderr;
events {}
http {
	access_log off;
	server { listen 127.0.0.1:%s http2; location / { grpc_pass grpc://127.0.0.1:%s; } }
}
`

// nginx between gRPC's client and server has a span for each side of each call.
func TestNginxPassesGRPC(t *testing.T) {
	const n = 200
	b := newBench(t)
	dir := t.TempDir()
	front, back := freePort(t), freePort(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "nginx.conf"), fmt.Appendf(nil, nginxConfig, front, back), 0o600))
	script, err := filepath.Abs("testdata/servers/grpc_echo.py")
	require.NoError(t, err)
	b.start("echo", "/usr/bin/python3", script, "server", back)
	b.start("proxy", "nginx", "-p", dir, "-c", "nginx.conf", "-g", "master_process off;")
	awaitListening(t, front)
	awaitListening(t, back)
	b.prepare("caller", "/usr/bin/python3", script, "client", front, fmt.Sprint(n))
	b.trace(nil)
	p := b.pairs()
	assert.Len(t, p.clients, 2*n)
	assert.Len(t, p.servers, 2*n)
	for id, client := range p.clients {
		server, ok := p.servers[id]
		if assert.True(t, ok) {
			assert.Equal(t, valueOf(client, "rpc.method"), valueOf(server, "rpc.method"))
			assert.Equal(t, valueOf(client, "rpc.response.status_code"), valueOf(server, "rpc.response.status_code"))
		}
	}
}
