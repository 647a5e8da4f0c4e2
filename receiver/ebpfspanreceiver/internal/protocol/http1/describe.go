package http1

import (
	"cmp"
	"net/netip"
	"strconv"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// names keeps the strings that are the same for most exchanges on a connection.
type names struct {
	host   string
	server server
	agent  string
	path   string
	peer   string
}

// describeLine notes what a request's first line says.
func (n *names) describeLine(e *exchange, line requestLine, query Query) {
	e.describeMethod(line.method)
	t := parseTarget(line)
	e.scheme, e.version = t.scheme, line.version
	if string(t.path) != n.path {
		n.path = text(t.path)
	}
	e.path = n.path
	e.query = query.apply(t.query)
	if len(t.authority) > 0 {
		// The target's authority wins over the Host field: RFC 9112, section 3.2.2.
		if s, ok := parseServer(text(t.authority), t.scheme); ok {
			e.server = s
		}
	}
}

// describeMethod notes the method and the name. An unknown method would make for
// many different names.
func (e *exchange) describeMethod(method []byte) {
	e.method = knownMethod(method)
	e.Name = e.method
	if e.method == "" {
		e.Name = "HTTP"
		e.originalMethod = string(method)
	}
}

// describeRequest notes what a request's fields say.
func (n *names) describeRequest(e *exchange, h headers) {
	if e.server.address == "" && len(h.host) > 0 {
		e.server = n.serverOf(h.host)
	}
	if string(h.agent) != n.agent {
		n.agent = text(h.agent)
	}
	e.agent = n.agent
}

// serverOf reads a Host field. What is no host names no server.
func (n *names) serverOf(host []byte) server {
	if string(host) != n.host {
		n.host = string(host)
		n.server = server{}
		if s, ok := parseServer(text(host), "http"); ok {
			n.server = s
		}
	}
	return n.server
}

// describeEnd notes what is known at the end only, or from the connection.
func (n *names) describeEnd(e *exchange) {
	remote := e.Conn.Remote
	n.peer = cmp.Or(n.peer, e.Conn.RemotePath)
	if n.peer == "" && remote.IsValid() {
		n.peer = remote.Addr().Unmap().String()
	}
	e.peer, e.peerPort = n.peer, remote.Port()
	if e.server.address == "" {
		e.server = serverByAddress(e)
	}
	if e.ErrorType == "" && isFailure(e.Side, e.status) {
		e.ErrorType, e.Failed = strconv.Itoa(e.status), true
	}
}

// isFailure tells whether a status code makes the span's status an error. A
// server is not to blame for the client's errors.
func isFailure(side protocol.Side, status int) bool {
	return status >= 500 || status >= 400 && side == protocol.Client
}

// serverByAddress returns the server's end of the connection, for requests that
// name none.
func serverByAddress(e *exchange) server {
	at, path := e.Conn.Remote, e.Conn.RemotePath
	if e.Side == protocol.Server {
		at, path = e.Conn.Local, e.Conn.LocalPath
	}
	if e.Conn.Unix {
		return server{address: path}
	}
	return serverAt(at)
}

func serverAt(at netip.AddrPort) server {
	if !at.IsValid() {
		return server{}
	}
	return server{address: at.Addr().Unmap().String(), port: int64(at.Port())}
}
