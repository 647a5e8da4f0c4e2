package ebpfspanreceiver

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// Services that look up the name nN.example.test for a request of /N. Their arguments are their
// port, and that of the DNS server at 127.0.0.1; at 127.0.0.77 it has the usual one.
const (
	goLookup = `package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
)

func main() {
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, "127.0.0.1:"+os.Args[2])
	}}
	err := http.ListenAndServe("127.0.0.1:"+os.Args[1], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		found, err := resolver.LookupHost(r.Context(), "n"+r.URL.Path[1:]+".example.test")
		fmt.Fprintln(w, found, err)
	}))
	fmt.Println(err)
}
`
	pythonLookup = `
import http.server, socket, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        found = socket.getaddrinfo("n" + self.path[1:] + ".example.test", 80, type=socket.SOCK_STREAM)
        body = str(found).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
`
	nodeLookup = `
const dns = require("dns"), http = require("http");
const [port, server, how, leaf] = process.argv.slice(2);
const resolver = new dns.Resolver();
const agent = new http.Agent({ keepAlive: true });
resolver.setServers(["127.0.0.1:" + server]);
http.createServer((request, response) => {
	const name = "n" + request.url.slice(1) + ".example.test";
	const answer = (err, found) => response.end(String(err || JSON.stringify(found)));
	const call = (err, found) => http.get("http://127.0.0.1:" + leaf + "/" + name, { agent }, (result) => {
		result.resume().on("end", () => answer(err, found));
	});
	const done = how === "call" ? call : answer;
	how !== "pool" ? resolver.resolve4(name, done) : dns.lookup(name, { all: true }, done);
}).listen(port, "127.0.0.1");
`
	leafService = `
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(204)
        self.end_headers()
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
`
	// Its arguments are the port, how many threads ask at a time, and how often each does.
	lookupClient = `
import http.client, sys, threading
def ask(first, n):
    c = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
    for i in range(first, first + n):
        c.request("GET", "/%d" % i)
        body = c.getresponse().read()
        assert b"10.1.2.3" in body, body
threads, n = int(sys.argv[2]), int(sys.argv[3])
all = [threading.Thread(target=ask, args=(1000 * (t + 1), n)) for t in range(threads)]
[t.start() for t in all]
[t.join() for t in all]
`
)

// lookups are who caused the lookups of a service.
type lookups struct {
	right, wrong, unlinked int
	methods                map[string]int
}

// lookupsOf judges the links of the DNS calls in a service.
func lookupsOf(batches []ptrace.Traces) lookups {
	l := lookups{methods: make(map[string]int)}
	numbers := make(map[pcommon.SpanID]string)
	var calls []ptrace.Span
	for _, batch := range batches {
		for _, r := range batch.ResourceSpans().All() {
			service, _ := r.Resource().Attributes().Get("service.name")
			for _, s := range r.ScopeSpans().At(0).Spans().All() {
				if service.Str() == "service" && s.Kind() == ptrace.SpanKindServer {
					numbers[s.SpanID()] = strings.TrimPrefix(valueOf(s, "url.path"), "/")
				} else if service.Str() == "service" {
					calls = append(calls, s)
				}
			}
		}
	}
	for _, c := range calls {
		name, _, _ := strings.Cut(valueOf(c, "dns.question.name")+strings.TrimPrefix(valueOf(c, "url.path"), "/"), ".")
		switch number, ok := numbers[c.ParentSpanID()]; {
		case !ok:
			l.unlinked++
		case "n"+number == name:
			l.right++
		default:
			l.wrong++
		}
		l.methods[valueOf(c, "seqlink.link.method")]++
	}
	return l
}

// Lookups belong to the requests that need them, whatever looks up.
func TestDNSCausality(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		return path
	}
	program := filepath.Join(dir, "lookup")
	out, err := exec.Command("go", "build", "-o", program, write("main.go", goLookup)).CombinedOutput()
	require.NoError(t, err, string(out))
	// glibc takes its servers from a file and no port: this one is seen by the service alone.
	glibc := []string{"unshare", "-m", "sh", "-c", `mount --bind "$1" /etc/resolv.conf; shift; exec "$@"`, "sh", write("resolv.conf", "nameserver 127.0.0.77\n")}

	for _, tt := range []struct {
		name    string
		command []string
		how     string
		threads string
		// all says that each one's is found.
		all bool
	}{
		{"Go", []string{program}, "", "1", true},
		{"Go, many at once", []string{program}, "", "8", true},
		{"Python", append(glibc, "python3", write("lookup.py", pythonLookup)), "", "8", true},
		{"Node.js, c-ares", []string{"node", write("lookup.js", nodeLookup)}, "c-ares", "1", true},
		{"Node.js, c-ares, many at once", []string{"node", write("lookup.js", nodeLookup)}, "c-ares", "8", true},
		{"Node.js, c-ares and a call", []string{"node", write("lookup.js", nodeLookup)}, "call", "8", true},
		{"Node.js, getaddrinfo", append(glibc, "node", write("lookup.js", nodeLookup)), "pool", "1", false},
		{"Node.js, getaddrinfo, many at once", append(glibc, "node", write("lookup.js", nodeLookup)), "pool", "8", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			server := b.dnsServer()
			b.start("dns", "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root", "--no-resolv", "--no-hosts",
				"--listen-address=127.0.0.77", "--bind-interfaces", "--address=/example.test/10.1.2.3", "--address=/example.test/fd00::3")
			port, leaf := freePort(t), freePort(t)
			b.start("service", tt.command[0], append(tt.command[1:len(tt.command):len(tt.command)], port, server, tt.how, leaf)...)
			b.start("leaf", "python3", "-c", leafService, leaf)
			awaitListening(t, port)
			awaitListening(t, leaf)
			b.prepare("client", "python3", "-c", lookupClient, port, tt.threads, "100")
			b.trace(nil)
			l := lookupsOf(b.sink.AllTraces())
			t.Logf("right %d, wrong %d, without %d: %v", l.right, l.wrong, l.unlinked, l.methods)
			calls := l.right + l.wrong + l.unlinked
			assert.LessOrEqual(t, l.wrong, calls/100, "as sure as a loop's turns and hand-offs are")
			if tt.all {
				assert.GreaterOrEqual(t, l.right, 95*calls/100)
			}
		})
	}
}
