// Package database holds what the protocols of databases have in common: what their
// spans tell by the semantic conventions, and the order in which requests that were
// written one after another are answered.
package database

import (
	"cmp"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// pause is how long an answer must be silent to be Paused, in nanoseconds.
const pause = 1e9

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
	server, peer           protocol.End
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

// Paused reports whether the answer began, and nothing of it came for so long that one whose end cannot
// be told is taken for complete. Now is in nanoseconds since the Unix epoch.
func (e *Exchange) Paused(now int64) bool {
	return e.responded && now-e.Response.Last.Time >= pause
}

// Ended reports whether nothing changes any more.
func (e *Exchange) Ended() bool { return e.ended }

// AddAttributes implements protocol.Details.
func (e *Exchange) AddAttributes(a *protocol.Attributes) {
	a.AddString(e.System.Key, e.System.Value.AsString())
	a.AddString(semconv.DBOperationNameKey, e.Operation)
	a.AddString(semconv.DBNamespaceKey, e.Namespace)
	a.AddString(semconv.DBQuerySummaryKey, e.Summary)
	a.AddString(semconv.DBQueryTextKey, e.Text)
	a.AddString(semconv.DBResponseStatusCodeKey, e.Status)
	a.AddUnix(e.Conn)
	a.AddServer(e.server.Address, int64(e.server.Port))
	a.AddPeer(&e.Exchange, e.peer)
}
