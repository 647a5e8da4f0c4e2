// Package http1 finds the exchanges on HTTP/1.0 and HTTP/1.1 connections
// (RFC 9112) of which only some bytes were captured.
//
// The first bytes of a turn are there up to the configured payload; of what
// follows only the sizes and the last eight bytes of each segment may be. Bodies
// are therefore counted rather than read, heads are used as far as they were
// seen, and where the end of a message cannot be told it is inferred from what
// comes after it.
package http1

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/thin"
)

// Options configures the protocol.
type Options struct {
	// Query says what becomes of the query part of request targets.
	Query Query
	// Thinner decides which requests are left out; nil keeps all.
	Thinner *thin.Thinner
}

// Protocol is HTTP/1.0 and HTTP/1.1.
type Protocol struct {
	options    Options
	losses     *loss.Counts
	vocabulary vocabulary
	spare      []*exchange
}

// New makes the protocol; what its parsers lose is counted in losses.
func New(o Options, losses *loss.Counts) *Protocol {
	return &Protocol{options: o, losses: losses, vocabulary: newVocabulary()}
}

// Name implements protocol.Protocol.
func (*Protocol) Name() string { return "http1" }

// Classify implements protocol.Protocol.
func (*Protocol) Classify(prefix []byte) protocol.Verdict {
	prefix = prefix[newlines(prefix):]
	return max(classifyRequest(prefix), classifyResponse(prefix))
}

// NewParser implements protocol.Protocol.
func (h *Protocol) NewParser(c *conn.Conn, sink protocol.Sink) protocol.Parser {
	p := &parser{protocol: h, conn: c, sink: sink, missed: true}
	for d := range p.streams {
		p.streams[d].parser = p
		p.streams[d].direction = conn.Direction(d)
	}
	return p
}
