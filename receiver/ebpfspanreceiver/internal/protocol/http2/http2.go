// Package http2 finds the exchanges on HTTP/2 connections without TLS (RFC 9113), gRPC's
// among them, of which only some bytes were captured.
//
// Each stream that a client opens is an exchange of its own, whose place is the stream's
// id: both ends know it, however the frames of many streams lie between each other. Frames
// are counted rather than read, but for those that carry header fields. Where some of
// these were missed, or the connection is older than the collector, fields that refer to
// what was not seen are unknown, and never taken for others.
package http2

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/http1"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/thin"
)

// Options configures the protocol.
type Options struct {
	// Query says what becomes of the query part of request targets.
	Query http1.Query
	// Thinner decides which requests are left out; nil keeps all.
	Thinner *thin.Thinner
}

// Protocol is HTTP/2 without TLS.
type Protocol struct {
	options Options
	losses  *loss.Counts
}

// New makes the protocol; what its parsers lose is counted in losses.
func New(o Options, losses *loss.Counts) *Protocol { return &Protocol{options: o, losses: losses} }

// Name implements protocol.Protocol.
func (*Protocol) Name() string { return "http2" }

// NewParser implements protocol.Protocol.
func (h *Protocol) NewParser(c *conn.Conn, sink protocol.Sink) protocol.Parser {
	p := &parser{protocol: h, conn: c, sink: sink}
	for d := range p.readers {
		p.readers[d].parser = p
		p.readers[d].direction = conn.Direction(d)
	}
	return p
}
