package http1

import (
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// AppendAttributes implements protocol.Details.
func (e *exchange) AppendAttributes(to []protocol.Attribute) []protocol.Attribute {
	a := attributes(to)
	a.addMethod(e.method, e.originalMethod)
	a.addString(semconv.URLSchemeKey, e.scheme)
	a.addString(semconv.URLPathKey, Credentials(e.path))
	a.addString(semconv.URLQueryKey, e.query)
	a.addString(semconv.NetworkProtocolNameKey, "http")
	a.addString(semconv.NetworkProtocolVersionKey, e.version)
	a.addString(semconv.UserAgentOriginalKey, Credentials(e.agent))
	if e.Conn.Unix {
		a.addString(semconv.NetworkTransportKey, semconv.NetworkTransportUnix.Value.AsString())
	}
	a.addAddresses(e)
	if e.status > 0 {
		a.addInt(semconv.HTTPResponseStatusCodeKey, int64(e.status))
	}
	if e.requestSize >= 0 {
		a.addInt(semconv.HTTPRequestBodySizeKey, e.requestSize)
	}
	if e.responseSize >= 0 {
		a.addInt(semconv.HTTPResponseBodySizeKey, e.responseSize)
	}
	return a
}

// Path returns the path that is asked for, without its query.
func (e *exchange) Path() string { return e.path }

// attributes is a list that grows.
type attributes []protocol.Attribute

func (a *attributes) addString(key attribute.Key, value string) {
	if value != "" {
		*a = append(*a, protocol.Attribute{Key: string(key), String: value})
	}
}

func (a *attributes) addInt(key attribute.Key, value int64) {
	*a = append(*a, protocol.Attribute{Key: string(key), Int: value, IsInt: true})
}

func (a *attributes) addMethod(method, original string) {
	if method == "" {
		method = "_OTHER"
	}
	a.addString(semconv.HTTPRequestMethodKey, method)
	a.addString(semconv.HTTPRequestMethodOriginalKey, original)
}

func (a *attributes) addAddresses(e *exchange) {
	if e.server.address != "" {
		a.addString(semconv.ServerAddressKey, e.server.address)
	}
	if e.server.port != 0 {
		a.addInt(semconv.ServerPortKey, e.server.port)
	}
	if e.peer == "" {
		return
	}
	a.addString(semconv.NetworkPeerAddressKey, e.peer)
	if e.Conn.Unix {
		return
	}
	a.addInt(semconv.NetworkPeerPortKey, int64(e.peerPort))
	if e.Side == protocol.Server {
		a.addString(semconv.ClientAddressKey, e.peer)
	}
}
