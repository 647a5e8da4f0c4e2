// Package dns finds the exchanges of DNS (RFC 1035) over UDP and TCP: queries, each with one
// question, and their answers.
//
// Over TCP a query's place is the offset of its length's first byte. Over UDP it is named by
// its bytes and its sender's port (key.go).
package dns

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/thin"
)

// maxOpen bounds the queries of one flow or connection that wait for their answers.
const maxOpen = 1024

// Options configures the protocol.
type Options struct {
	// Thinner decides which requests are left out; nil keeps all.
	Thinner *thin.Thinner
}

// Protocol is DNS. It is not safe for concurrent use.
type Protocol struct {
	options Options
	losses  *loss.Counts
	// recent are the keys of queries over UDP that were sent and received here.
	recent [2]recent
}

var _ protocol.DatagramProtocol = (*Protocol)(nil)

// New makes the protocol; what its parsers lose is counted in losses.
func New(o Options, losses *loss.Counts) *Protocol { return &Protocol{options: o, losses: losses} }

// Name implements protocol.Protocol.
func (*Protocol) Name() string { return "dns" }

// NewParser implements protocol.Protocol.
func (p *Protocol) NewParser(c *conn.Conn, sink protocol.Sink) protocol.Parser {
	s := &parser{session: session{protocol: p, conn: c, sink: sink}}
	for d := range s.streams {
		s.streams[d] = stream{parser: s, direction: conn.Direction(d)}
	}
	return s
}

// NewFlow implements protocol.DatagramProtocol.
func (p *Protocol) NewFlow(c *conn.Conn, sink protocol.Sink) protocol.Flow {
	return &flow{session: session{protocol: p, conn: c, sink: sink}}
}
