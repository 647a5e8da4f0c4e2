package protocol

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/thin"
)

// Key names the request the same way at both ends of its connection: by the first
// sequence number of the request's direction, that of the response's, and the
// request's place. It is XXH64 over the three in this order, little-endian, and as
// good as a random number. The kernel side computes it, too (bpf/include/thin.h). A datagram
// has its own.
func (e *Exchange) Key() uint64 {
	if e.Datagram != 0 {
		return e.Datagram
	}
	request := e.Side.RequestDirection()
	var b [16]byte
	binary.LittleEndian.PutUint32(b[0:], e.Conn.First(request))
	binary.LittleEndian.PutUint32(b[4:], e.Conn.First(request.Opposite()))
	binary.LittleEndian.PutUint64(b[8:], e.Place)
	return xxhash.Sum64(b[:])
}

// Reception names the request as this end received it. A datagram may come twice, to one
// server or to several, and each time a server's span is made of it, with one parent.
func (e *Exchange) Reception() uint64 {
	if e.Datagram == 0 {
		return e.Key()
	}
	var b [16]byte
	binary.LittleEndian.PutUint64(b[0:], e.Datagram)
	binary.LittleEndian.PutUint64(b[8:], uint64(e.Request.First.Time))
	return xxhash.Sum64(b[:])
}

// Thin asks whether the exchange is left out. Turns is that of thin.Request.
func (e *Exchange) Thin(t *thin.Thinner, turns bool) {
	if !t.Enabled() {
		return
	}
	role := thin.Server
	if e.Side == Client {
		role = thin.Client
	}
	e.Thinning = t.Request(thin.Request{Key: e.Key(), Role: role, Socket: e.Conn.Socket, Turns: turns})
}
