package http1

import (
	"cmp"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// AddAttributes implements protocol.Details.
func (e *exchange) AddAttributes(a *protocol.Attributes) {
	a.AddString(semconv.HTTPRequestMethodKey, cmp.Or(e.method, OtherMethod))
	a.AddString(semconv.HTTPRequestMethodOriginalKey, e.originalMethod)
	a.AddString(semconv.URLSchemeKey, e.scheme)
	a.AddString(semconv.URLPathKey, e.path)
	a.AddString(semconv.URLQueryKey, e.query)
	a.AddString(semconv.NetworkProtocolVersionKey, e.version)
	a.AddString(semconv.UserAgentOriginalKey, e.agent)
	a.AddUnix(e.Conn)
	a.AddServer(e.server.address, e.server.port)
	a.AddPeer(&e.Exchange, protocol.End{Address: e.peer, Port: e.peerPort})
	if e.status > 0 {
		a.AddInt(semconv.HTTPResponseStatusCodeKey, int64(e.status))
	}
	if e.requestSize >= 0 {
		a.AddInt(semconv.HTTPRequestBodySizeKey, e.requestSize)
	}
	if e.responseSize >= 0 {
		a.AddInt(semconv.HTTPResponseBodySizeKey, e.responseSize)
	}
}

// OtherMethod is what stands for a method that is not known (semantic conventions).
const OtherMethod = "_OTHER"

// Path returns the path that is asked for, without its query.
func (e *exchange) Path() string { return e.path }
