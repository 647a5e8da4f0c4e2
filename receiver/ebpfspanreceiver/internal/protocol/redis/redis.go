// Package redis finds the exchanges on connections that speak the Redis serialization
// protocol, RESP2 or RESP3 (https://redis.io/docs/latest/develop/reference/protocol-spec/),
// of which only some bytes were captured.
//
// Each command is an exchange of its own, whose place is that of its first byte, however many
// were written at once; answers come in the order of the commands. What follows on a
// connection that MONITOR, SYNC or PSYNC made a stream is not looked at.
package redis

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/thin"
)

// Query says what is shown of a command.
type Query string

// The values of Query. Credentials are hidden by all of them.
const (
	// QueryRedact shows the command and its keys, and hides its other arguments.
	QueryRedact Query = "redact"
	// QueryRedactKeys hides the keys, too.
	QueryRedactKeys Query = "redact_keys"
	// QueryKeep shows all arguments.
	QueryKeep Query = "keep"
	// QueryDrop leaves the text out.
	QueryDrop Query = "drop"
)

// Options configures the protocol.
type Options struct {
	// Query says what is shown of a command; empty is QueryRedact.
	Query Query
	// Thinner decides which requests are left out; nil keeps all.
	Thinner *thin.Thinner
}

// Protocol is RESP.
type Protocol struct {
	options Options
	losses  *loss.Counts
}

// New makes the protocol; what its parsers lose is counted in losses.
func New(o Options, losses *loss.Counts) *Protocol { return &Protocol{options: o, losses: losses} }

// Name implements protocol.Protocol.
func (*Protocol) Name() string { return "redis" }

// NewParser implements protocol.Protocol.
func (r *Protocol) NewParser(c *conn.Conn, sink protocol.Sink) protocol.Parser {
	p := &parser{protocol: r, session: database.Session{
		Conn: c, Sink: sink, Losses: r.losses, Thinner: r.options.Thinner,
	}}
	for d := range p.streams {
		p.streams[d].parser = p
		p.streams[d].direction = conn.Direction(d)
	}
	return p
}
