package http1

import (
	"net/netip"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// usualAttributes is room for all attributes of an exchange.
const usualAttributes = 17

func (e *exchange) setString(key attribute.Key, value string) {
	if value != "" {
		e.Attributes = append(e.Attributes, protocol.Attribute{Key: string(key), String: value})
	}
}

func (e *exchange) setInt(key attribute.Key, value int64) {
	e.Attributes = append(e.Attributes, protocol.Attribute{Key: string(key), Int: value, IsInt: true})
}

// describeLine sets what a request's first line says.
func (e *exchange) describeLine(line requestLine, query Query) {
	e.Attributes = make([]protocol.Attribute, 0, usualAttributes)
	e.describeMethod(line.method)
	t := parseTarget(line)
	e.setString(semconv.URLSchemeKey, t.scheme)
	e.setString(semconv.URLPathKey, text(t.path))
	e.setString(semconv.URLQueryKey, query.apply(t.query))
	e.setString(semconv.NetworkProtocolNameKey, "http")
	e.setString(semconv.NetworkProtocolVersionKey, line.version)
	if len(t.authority) > 0 {
		// The target's authority wins over the Host field: RFC 9112, section 3.2.2.
		if s, ok := parseServer(text(t.authority), t.scheme); ok {
			e.server = s
		}
	}
}

// describeMethod sets the method and the name. An unknown method would make for
// many different names.
func (e *exchange) describeMethod(method []byte) {
	e.method = knownMethod(method)
	e.Name = e.method
	if e.method == "" {
		e.Name = "HTTP"
		e.setString(semconv.HTTPRequestMethodKey, "_OTHER")
		e.setString(semconv.HTTPRequestMethodOriginalKey, string(method))
		return
	}
	e.setString(semconv.HTTPRequestMethodKey, e.method)
}

// names keeps the strings that are the same for most exchanges on a connection.
type names struct {
	host   string
	server server
	agent  string
	peer   string
}

// describeRequest sets what a request's fields say.
func (n *names) describeRequest(e *exchange, h headers) {
	if e.server.address == "" && len(h.host) > 0 {
		e.server = n.serverOf(h.host)
	}
	if string(h.agent) != n.agent {
		n.agent = text(h.agent)
	}
	e.setString(semconv.UserAgentOriginalKey, n.agent)
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

// describeEnd sets what is known at the end only, or from the connection.
func (n *names) describeEnd(e *exchange) {
	n.describeAddresses(e)
	if e.status > 0 {
		e.setInt(semconv.HTTPResponseStatusCodeKey, int64(e.status))
	}
	if e.requestSize >= 0 {
		e.setInt(semconv.HTTPRequestBodySizeKey, e.requestSize)
	}
	if e.responseSize >= 0 {
		e.setInt(semconv.HTTPResponseBodySizeKey, e.responseSize)
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

func (n *names) describeAddresses(e *exchange) {
	remote := e.Conn.Remote
	if n.peer == "" && remote.IsValid() {
		n.peer = remote.Addr().Unmap().String()
	}
	if e.server.address == "" {
		e.server = n.serverByAddress(e)
	}
	if e.server.address != "" {
		e.setString(semconv.ServerAddressKey, e.server.address)
		e.setInt(semconv.ServerPortKey, e.server.port)
	}
	if n.peer == "" {
		return
	}
	e.setString(semconv.NetworkPeerAddressKey, n.peer)
	e.setInt(semconv.NetworkPeerPortKey, int64(remote.Port()))
	if e.Side == protocol.Server {
		e.setString(semconv.ClientAddressKey, n.peer)
	}
}

// serverByAddress returns the server's end of the connection, for requests that
// name none.
func (n *names) serverByAddress(e *exchange) server {
	at := e.Conn.Remote
	if e.Side == protocol.Server {
		at = e.Conn.Local
	}
	return serverAt(at)
}

func serverAt(at netip.AddrPort) server {
	if !at.IsValid() {
		return server{}
	}
	return server{address: at.Addr().Unmap().String(), port: int64(at.Port())}
}
