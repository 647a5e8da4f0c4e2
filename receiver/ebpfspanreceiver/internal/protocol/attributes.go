package protocol

import (
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/xpdata"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
)

// Attributes collects the attributes of one span after another. No key may be added
// twice to one span: nobody looks for that. It must not be copied.
type Attributes struct {
	pairs xpdata.MapBuilder
	// count is how many there are, usual how many the last span had.
	count, usual int
}

// add returns the place of one more value.
func (a *Attributes) add(key attribute.Key) pcommon.Value {
	if a.count == 0 {
		a.pairs.EnsureCapacity(a.usual)
	}
	a.count++
	return a.pairs.AppendEmpty(string(key))
}

// AddString adds a text, unless it is empty.
func (a *Attributes) AddString(key attribute.Key, value string) {
	if value != "" {
		a.add(key).SetStr(value)
	}
}

// AddStrings adds a list of texts, unless it is empty.
func (a *Attributes) AddStrings(key attribute.Key, values []string) {
	if len(values) == 0 {
		return
	}
	list := a.add(key).SetEmptySlice()
	list.EnsureCapacity(len(values))
	for _, v := range values {
		list.AppendEmpty().SetStr(v)
	}
}

// AddInt adds a number.
func (a *Attributes) AddInt(key attribute.Key, value int64) { a.add(key).SetInt(value) }

// AddDouble adds a number that need not be whole.
func (a *Attributes) AddDouble(key attribute.Key, value float64) { a.add(key).SetDouble(value) }

// AddBool adds a truth.
func (a *Attributes) AddBool(key attribute.Key, value bool) { a.add(key).SetBool(value) }

// MoveTo hands what was collected over to a span, which must not have attributes yet.
func (a *Attributes) MoveTo(m pcommon.Map) {
	a.pairs.UnsafeIntoMap(m)
	a.count, a.usual = 0, a.count
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
