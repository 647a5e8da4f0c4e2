package ebpfspanreceiver

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// dnsServer starts a real one, and returns its port.
func (b *bench) dnsServer(args ...string) (port string) {
	b.t.Helper()
	port = freePort(b.t)
	b.start("dnsmasq", "dnsmasq", append([]string{
		"--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root", "--no-resolv", "--no-hosts",
		"--listen-address=127.0.0.1", "--bind-interfaces", "--port=" + port,
		"--address=/example.test/10.1.2.3", "--address=/example.test/fd00::3", "--local=/test/",
		"--txt-record=long.test," + strings.Repeat("x", 250) + "," + strings.Repeat("y", 250) + "," + strings.Repeat("z", 250),
	}, args...)...)
	awaitListening(b.t, port)
	return port
}

// A real resolver and a real server: each query is a span at both ends, over UDP and TCP. A recording
// of it gives the same again.
func TestDNSBothEnds(t *testing.T) {
	b := newBench(t)
	recording := recordingOf(t, "dns")
	port := b.dnsServer()
	b.prepare("dig", "sh", "-c", `set -e
		ask() { dig @127.0.0.1 -p "$0" +tries=1 +timeout=5 "$@"; }
		ask www.example.test A
		ask WwW.Example.Test AAAA +nocookie
		ask nothing.test A
		ask www.example.test A +tcp
		ask long.test TXT +noedns
		ask +noedns a.example.test A b.example.test A c.example.test A`, port)
	r := b.trace(func(c *Config) { c.Record, c.RecordPayload = recording, true })
	for _, l := range []loss.Reason{loss.StreamGap, loss.MalformedMessage, loss.HeadTooLong} {
		assert.Zero(t, r.stats.losses.Get(l), l)
	}
	p := b.pairs()
	assert.Len(t, p.clients, 9)
	p.assertLinked(t)
	live := text(b.sink.AllTraces())
	t.Log(live)
	found := dump(t, &b.sink)
	for _, want := range []string{
		"dns.question.name=www.example.test\n", "dns.question.name=WwW.Example.Test\n",
		`dns.answers=["10.1.2.3"]`, `dns.answers=["fd00::3"]`, "network.transport=udp", "network.transport=tcp",
		"error.type=NXDOMAIN", "seqlink.dns.truncated=true", "server.port=" + port,
	} {
		assert.Contains(t, found, want)
	}
	var again consumertest.TracesSink
	replay(t, recording, &again)
	assert.Equal(t, live, text(again.AllTraces()))
}

// A forwarder asks another server: its query is caused by the one that it was asked.
func TestDNSForwarder(t *testing.T) {
	b := newBench(t)
	upstream := b.dnsServer()
	front := b.dnsServer("--server=/forwarded.test/127.0.0.1#"+upstream, "--address=/example.test/10.9.9.9", "--cache-size=0")
	b.prepare("dig", "dig", "@127.0.0.1", "-p", front, "+tries=1", "x.forwarded.test", "A", "y.forwarded.test", "A")
	b.trace(nil)
	p := b.pairs()
	p.assertLinked(t)
	require.Len(t, p.clients, 4)
	for _, c := range p.clients {
		if valueOf(c, "server.port") == upstream {
			parent, ok := p.parent(c)
			require.True(t, ok)
			assert.Equal(t, parent.SpanID(), c.ParentSpanID())
			assert.Equal(t, valueOf(parent, "dns.question.name"), valueOf(c, "dns.question.name"))
			assert.Equal(t, parent.TraceID(), c.TraceID())
		}
	}
}

// parent returns the server's span that a client's is a child of.
func (p pairs) parent(c ptrace.Span) (ptrace.Span, bool) {
	for _, s := range p.servers {
		if s.SpanID() == c.ParentSpanID() {
			return s, true
		}
	}
	return c, false
}

// A query that nobody answers, one that nobody takes, and one that is asked again.
func TestDNSUnanswered(t *testing.T) {
	b := newBench(t)
	closed := freePort(t)
	b.prepare("python", "python3", "-c", `
import socket, struct, sys, time
query = struct.pack(">HHHHHH", 7, 0x100, 1, 0, 0, 0) + b"\4name\4test\0" + struct.pack(">HH", 1, 1)
silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("127.0.0.1", 0))
c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
c.connect(silent.getsockname())
c.send(query)
c.send(query)
time.sleep(1.2)
c.close()
refused = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
refused.connect(("127.0.0.1", int(sys.argv[1])))
refused.send(query)
try:
    refused.recv(100)
except ConnectionRefusedError:
    pass
waits = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
waits.sendto(query, silent.getsockname())
time.sleep(11)
`, closed)
	start := time.Now()
	b.trace(nil)
	t.Log(time.Since(start))
	got := text(b.sink.AllTraces())
	t.Log(got)
	found := dump(t, &b.sink)
	assert.Equal(t, 2, strings.Count(found, "error.type=timeout"))
	assert.Equal(t, 1, strings.Count(found, "error.type=connection_refused"))
	assert.Equal(t, 1, strings.Count(found, "seqlink.dns.resend_count=1"))
	assert.Equal(t, 3, b.sink.SpanCount())
}
