package http1

import (
	"cmp"
	"net/netip"
	"strconv"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/memo"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// vocabulary holds the strings that most exchanges repeat.
type vocabulary struct {
	// texts have no credentials.
	texts *memo.Memo[string]
	hosts *memo.Memo[server]
	// addresses are keyed by their 16 bytes.
	addresses *memo.Memo[string]
}

func newVocabulary() vocabulary {
	return vocabulary{texts: memo.New(publicText), hosts: memo.New(serverOf), addresses: memo.New(addressText)}
}

func (v *vocabulary) address(at netip.AddrPort) string {
	b := at.Addr().As16()
	return v.addresses.Of(b[:])
}

// publicText makes a string of s that may be exported.
func publicText(s string) string { return Credentials(text(s)) }

// addressText writes an address of 16 bytes.
func addressText(b string) string { return netip.AddrFrom16([16]byte([]byte(b))).Unmap().String() }

// serverOf reads a Host field. What is no host names no server.
func serverOf(host string) server {
	if s, ok := parseServer(text(host), "http"); ok {
		return s
	}
	return server{}
}

// describeLine notes what a request's first line says.
func (p *parser) describeLine(e *exchange, line requestLine) {
	e.describeMethod(line.method)
	t := parseTarget(line)
	e.scheme, e.version = t.scheme, line.version
	e.path = p.protocol.vocabulary.texts.Of(t.path)
	e.query = p.protocol.options.Query.Apply(t.query)
	if len(t.authority) > 0 {
		// The target's authority wins over the Host field: RFC 9112, section 3.2.2.
		if s, ok := parseServer(text(string(t.authority)), t.scheme); ok {
			e.server = s
		}
	}
}

// describeMethod notes the method and the name. An unknown method would make for
// many different names.
func (e *exchange) describeMethod(method []byte) {
	e.method = KnownMethod(method)
	e.Name = e.method
	if e.method == "" {
		e.Name = "HTTP"
		e.originalMethod = string(method)
	}
}

// describeRequest notes what a request's fields say.
func (p *parser) describeRequest(e *exchange, h *headers) {
	if e.server.address == "" {
		e.server = p.protocol.vocabulary.hosts.Of(h.host)
	}
	e.agent = p.protocol.vocabulary.texts.Of(h.agent)
}

// describeEnd notes what is known at the end only, or from the connection.
func (p *parser) describeEnd(e *exchange) {
	remote := e.Conn.Remote
	p.peer = cmp.Or(p.peer, e.Conn.RemotePath)
	if p.peer == "" && remote.IsValid() {
		p.peer = p.protocol.vocabulary.address(remote)
	}
	e.peer, e.peerPort = p.peer, remote.Port()
	if e.server.address == "" {
		e.server = p.serverByAddress()
	}
	if e.ErrorType == "" && IsFailure(e.Side, e.status) {
		e.ErrorType, e.Failed = strconv.Itoa(e.status), true
	}
}

// IsFailure tells whether a status code makes the span's status an error. A
// server is not to blame for the client's errors.
func IsFailure(side protocol.Side, status int) bool {
	return status >= 500 || status >= 400 && side == protocol.Client
}

// serverByAddress returns the server's end of the connection, for requests that
// name none.
func (p *parser) serverByAddress() server {
	at, path := p.conn.Remote, p.conn.RemotePath
	if p.side == protocol.Server {
		at, path = p.conn.Local, p.conn.LocalPath
	}
	if p.conn.Unix {
		return server{address: path}
	}
	if !at.IsValid() {
		return server{}
	}
	return server{address: p.protocol.vocabulary.address(at), port: int64(at.Port())}
}
