package identity

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
)

// exchange is a client and a server that a test observes.
type exchange struct {
	// network is where they run, nil for the test's own namespace.
	network *network
	server  serverOptions
	client  clientOptions
	// before is a batch that is sent before the agent starts, none where it has no requests.
	before, batch batch
}

// observe sends the batch from a client to a server, both of which an agent in the test's
// own namespace traces.
func (x exchange) observe(t *testing.T) (a *agent, client, server *process) {
	t.Helper()
	needRoot(t)
	mark := marker()
	env := []string{mark + "=1"}
	var at network
	if x.network != nil {
		at = *x.network
	}
	server = start(t, at.server, env, self("server", x.server)...)
	address := server.answer()
	if x.client.Address == "" {
		x.client.Address = address
	}
	if x.client.Network == "" {
		x.client.Network = x.server.Network
	}
	client = start(t, at.client, env, self("client", x.client)...)
	if x.before.Requests > 0 {
		sends(t, client, x.before)
	}
	a = startAgent(t, agentOptions{Env: mark})
	sends(t, client, x.batch)
	return a, client, server
}

// run observes, checks that all ends met, and returns the spans and the two programs.
func (x exchange) run(t *testing.T) (spans []seen, client, server *process) {
	t.Helper()
	a, client, server := x.observe(t)
	return checkAll(t, a, x.batch.First, x.batch.Requests), client, server
}

// few is a batch on several connections at a time.
var few = batch{First: 1000, Requests: 2000, Body: 10, Response: 20}

var (
	overLoopback = serverOptions{Network: "tcp", Listen: "127.0.0.1:0"}
	fewClients   = clientOptions{Connections: 50, Workers: 8}
)

func TestLoopback(t *testing.T) {
	t.Parallel()
	exchange{server: overLoopback, client: fewClients, batch: few}.run(t)
}

// Whatever was sent before the agent came, both ends count from the connection's start.
func TestOlderConnections(t *testing.T) {
	t.Parallel()
	before := batch{First: 1, Requests: 500, Body: 12345, Response: 54321}
	exchange{server: overLoopback, client: fewClients, before: before, batch: few}.run(t)
}

// The agent sees sockets in namespaces that it is not in, of both families, and IPv4 on a
// socket of IPv6.
func TestFamiliesInOtherNamespaces(t *testing.T) {
	needRoot(t)
	t.Parallel()
	for name, tt := range map[string]struct{ listen, dial, peer string }{
		"IPv4":                  {serverAnyV4, serverV4, clientV4},
		"IPv6":                  {"[" + serverV6 + "]:" + serverPort, serverV6, clientV6},
		"IPv4 on IPv6's socket": {serverAnyV6, serverV4, clientV4},
	} {
		t.Run(name, func(t *testing.T) {
			client := fewClients
			client.Address = joined(tt.dial)
			spans, _, _ := exchange{
				network: newNetwork(t), server: serverOptions{Network: "tcp", Listen: tt.listen}, client: client, batch: few,
			}.run(t)
			assert.Equal(t, []string{tt.dial}, peers(spans, true))
			assert.Equal(t, []string{tt.peer}, peers(spans, false))
		})
	}
}

// translation lets a client reach the server under the router's address only, and the
// server see the router as its client.
const translation = `
table ip nat {
	chain prerouting {
		type nat hook prerouting priority dstnat;
		ip daddr ` + routerToClient + ` tcp dport 80 dnat to ` + serverV4 + `:` + serverPort + `
	}
	chain postrouting {
		type nat hook postrouting priority srcnat;
		ip daddr ` + serverV4 + ` snat to ` + routerToServer + `
	}
}`

func TestTranslatedAddresses(t *testing.T) {
	needRoot(t)
	t.Parallel()
	n := newNetwork(t)
	n.router.nft(translation)
	client := fewClients
	client.Address = routerToClient + ":80"
	spans, _, _ := exchange{
		network: n, server: serverOptions{Network: "tcp", Listen: serverAnyV4}, client: client, batch: few,
	}.run(t)
	assert.Equal(t, []string{routerToClient}, peers(spans, true), "the client does not know the server")
	assert.Equal(t, []string{routerToServer}, peers(spans, false), "nor does the server know the client")
}

// loss drops every 20th packet, in both directions and at random, but not those that
// open a connection, whose repetition takes seconds.
const loss = `
table inet loss {
	chain forward {
		type filter hook forward priority filter;
		tcp flags & syn == 0 numgen random mod 100 < 5 drop
	}
}`

func TestLossAndRetransmission(t *testing.T) {
	needRoot(t)
	t.Parallel()
	for name, before := range map[string]batch{
		"new connections": {}, "older connections": {First: 1, Requests: 100, Body: 20_000, Response: 20_000},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t)
			n.router.nft(loss)
			_, client, server := exchange{
				network: n, server: serverOptions{Network: "tcp", Listen: serverAnyV4},
				client: clientOptions{Address: joined(serverV4), Connections: 50, Workers: 50},
				before: before, batch: batch{First: 1000, Requests: 1000, Body: 20_000, Response: 20_000},
			}.run(t)
			assert.Positive(t, client.counter("snmp", "RetransSegs"), "nothing was lost on the way to the server")
			assert.Positive(t, server.counter("snmp", "RetransSegs"), "nothing was lost on the way to the client")
		})
	}
}

// fastOpen takes and sends data in a SYN without a cookie: Documentation/networking/ip-sysctl.rst.
const fastOpen = 0x1 | 0x2 | 0x4 | 0x200

func TestFastOpen(t *testing.T) {
	needRoot(t)
	t.Parallel()
	n := newNetwork(t)
	n.client.sysctl("ipv4/tcp_fastopen", fastOpen)
	n.server.sysctl("ipv4/tcp_fastopen", fastOpen)
	_, client, server := exchange{
		network: n, server: serverOptions{Network: "tcp", Listen: serverAnyV4, FastOpen: true},
		client: clientOptions{Address: joined(serverV4), Connections: 50, Workers: 8, FastOpen: true},
		batch:  batch{First: 1000, Requests: 200, Body: 10, Response: 20},
	}.run(t)
	assert.Equal(t, 50, client.counter("netstat", "TCPFastOpenActive"), "the SYN carried the first request")
	assert.Equal(t, 50, server.counter("netstat", "TCPFastOpenPassive"), "and the server took it")

	n.client.sysctl("ipv4/tcp_fastopen", fastOpen)
	scenario(t, n.client, "fast_open", 40)
}

func long() bool { return os.Getenv("SEQLINK_IDENTITY_LONG") != "" }

// TestMillion is the long form: a million requests over ten thousand connections.
func TestMillion(t *testing.T) {
	if !long() {
		t.Skip("SEQLINK_IDENTITY_LONG is not set")
	}
	exchange{
		server: overLoopback, client: clientOptions{Connections: 10_000, Workers: 32},
		batch: batch{First: 1_000_000, Requests: 1_000_000, Body: 10, Response: 20},
	}.run(t)
}

func joined(host string) string {
	if host == serverV6 {
		host = "[" + host + "]"
	}
	return host + ":" + serverPort
}
