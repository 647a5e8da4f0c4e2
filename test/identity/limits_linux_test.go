package identity

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// synProxy answers SYNs itself, with a number of its own, and translates the numbers of
// what the server sends from then on.
const synProxy = `
table ip proxy {
	chain untracked {
		type filter hook prerouting priority raw;
		tcp dport ` + serverPort + ` tcp flags syn notrack
	}
	chain proxied {
		type filter hook forward priority filter;
		tcp dport ` + serverPort + ` ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp sack-perm
		ct state invalid drop
	}
}`

// Behind a SYN proxy the two ends hold different numbers. Nothing links them, and nothing
// is linked that does not belong together.
func TestSYNProxy(t *testing.T) {
	needRoot(t)
	t.Parallel()
	n := newNetwork(t)
	n.router.nft(synProxy)
	n.router.sysctl("netfilter/nf_conntrack_tcp_loose", 0)
	const requests = 200
	a, _, _ := exchange{
		network: n, server: serverOptions{Network: "tcp", Listen: serverAnyV4},
		client: clientOptions{Address: joined(serverV4), Connections: 20, Workers: 8},
		batch:  batch{First: 1000, Requests: requests, Body: 10, Response: 20},
	}.observe(t)
	a.await(2 * requests)
	spans, _ := a.finish()
	got := compare(spans, 1000, requests)
	t.Log(got)
	assert.Equal(t, outcome{requests: requests, clients: requests, servers: requests}, got)
}

// A server that would take MPTCP, as Go's do, has plain TCP sockets for plain clients.
func TestMultipathServerWithPlainClient(t *testing.T) {
	needRoot(t)
	t.Parallel()
	exchange{
		network: newNetwork(t), server: serverOptions{Network: "tcp", Listen: serverAnyV4, Multipath: true},
		client: clientOptions{Address: joined(serverV4), Connections: 20, Workers: 8}, batch: few,
	}.run(t)
}

// Sockets of MPTCP are not TCP's, and are not seen.
func TestMultipathIsNotSeen(t *testing.T) {
	needRoot(t)
	t.Parallel()
	a, _, server := exchange{
		network: newNetwork(t), server: serverOptions{Network: "tcp", Listen: serverAnyV4, Multipath: true},
		client: clientOptions{Address: joined(serverV4), Connections: 20, Workers: 8, Multipath: true}, batch: few,
	}.observe(t)
	assert.Equal(t, 20, server.counter("netstat", "MPCapableSYNRX"), "both ends spoke MPTCP")
	spans, _ := a.finish()
	assert.Empty(t, spans)
}
