package protocol

import (
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
)

// Attributes is a list of attributes that grows.
type Attributes []Attribute

// AddString adds a text, unless it is empty.
func (a *Attributes) AddString(key attribute.Key, value string) {
	if value != "" {
		*a = append(*a, Attribute{Key: string(key), String: value})
	}
}

// AddInt adds a number.
func (a *Attributes) AddInt(key attribute.Key, value int64) {
	*a = append(*a, Attribute{Key: string(key), Int: value, IsInt: true})
}

// AddServer adds server.address and server.port, as far as they are known.
func (a *Attributes) AddServer(address string, port int64) {
	a.AddString(semconv.ServerAddressKey, address)
	if port > 0 {
		a.AddInt(semconv.ServerPortKey, port)
	}
}

// AddPeer adds what tells the other end of an exchange's connection.
func (a *Attributes) AddPeer(e *Exchange, peer End) {
	if peer.Address == "" {
		return
	}
	a.AddString(semconv.NetworkPeerAddressKey, peer.Address)
	if e.Conn.Unix {
		return
	}
	a.AddInt(semconv.NetworkPeerPortKey, int64(peer.Port))
	if e.Side == Server {
		a.AddString(semconv.ClientAddressKey, peer.Address)
	}
}

// AddUnix adds network.transport where a connection is of Unix sockets: that of others is left to be
// TCP, as the semantic conventions have it for protocols that are spoken over it.
func (a *Attributes) AddUnix(c *conn.Conn) {
	if c.Unix {
		a.AddString(semconv.NetworkTransportKey, semconv.NetworkTransportUnix.Value.AsString())
	}
}
