// Package database holds what the protocols of databases have in common: what their
// spans tell by the semantic conventions, and the order in which requests that were
// written one after another are answered.
package database

import (
	"cmp"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// Exchange is a request to a database and its answer. What is empty is not told.
type Exchange struct {
	protocol.Exchange
	// System is db.system.name.
	System attribute.KeyValue
	// Operation is db.operation.name, Namespace db.namespace, Summary db.query.summary
	// and Text db.query.text, of which nothing secret is left.
	Operation, Namespace, Summary, Text string
	// Status is db.response.status_code.
	Status string

	responded, read, ended bool
	server, peer           end
}

// end is one end of a connection.
type end struct {
	address string
	port    uint16
}

// Title sets the span's name: the summary, else the operation, else the given one. The
// semantic conventions would add the namespace to an operation; it is not known on connections
// that are older than the agent, and the same request is to have the same name on all.
func (e *Exchange) Title(otherwise string) { e.Name = cmp.Or(e.Summary, e.Operation, otherwise) }

// Fail notes an error that the database answered with.
func (e *Exchange) Fail(status string) {
	e.Status, e.ErrorType, e.Failed = status, status, true
}

// Responded reports whether the answer began.
func (e *Exchange) Responded() bool { return e.responded }

// Ended reports whether nothing changes any more.
func (e *Exchange) Ended() bool { return e.ended }

// AppendAttributes implements protocol.Details.
func (e *Exchange) AppendAttributes(to []protocol.Attribute) []protocol.Attribute {
	add := func(key attribute.Key, value string) {
		if value != "" {
			to = append(to, protocol.Attribute{Key: string(key), String: value})
		}
	}
	port := func(key attribute.Key, of end) {
		if of.port != 0 {
			to = append(to, protocol.Attribute{Key: string(key), Int: int64(of.port), IsInt: true})
		}
	}
	add(e.System.Key, e.System.Value.AsString())
	add(semconv.DBOperationNameKey, e.Operation)
	add(semconv.DBNamespaceKey, e.Namespace)
	add(semconv.DBQuerySummaryKey, e.Summary)
	add(semconv.DBQueryTextKey, e.Text)
	add(semconv.DBResponseStatusCodeKey, e.Status)
	if e.Conn.Unix {
		add(semconv.NetworkTransportKey, semconv.NetworkTransportUnix.Value.AsString())
	}
	add(semconv.ServerAddressKey, e.server.address)
	port(semconv.ServerPortKey, e.server)
	add(semconv.NetworkPeerAddressKey, e.peer.address)
	port(semconv.NetworkPeerPortKey, e.peer)
	if e.Side == protocol.Server && !e.Conn.Unix {
		add(semconv.ClientAddressKey, e.peer.address)
	}
	return to
}

// ends are the two ends of a connection, as text.
type ends struct {
	local, remote end
	known         bool
}

// of returns the server's end and the peer's.
func (k *ends) of(c *conn.Conn, side protocol.Side) (server, peer end) {
	if !k.known {
		k.local, k.remote = endOf(c, true), endOf(c, false)
		k.known = c.Local.IsValid() && c.Remote.IsValid()
	}
	if side == protocol.Server {
		return k.local, k.remote
	}
	return k.remote, k.remote
}

func endOf(c *conn.Conn, local bool) end {
	at, path := c.Remote, c.RemotePath
	if local {
		at, path = c.Local, c.LocalPath
	}
	if c.Unix {
		return end{address: path}
	}
	if !at.IsValid() {
		return end{}
	}
	return end{at.Addr().Unmap().String(), at.Port()}
}
