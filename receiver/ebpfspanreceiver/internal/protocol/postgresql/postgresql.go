// Package postgresql finds the exchanges on connections that speak PostgreSQL's protocol,
// version 3 (https://www.postgresql.org/docs/current/protocol.html), of which only some bytes
// were captured.
//
// An exchange is what the frontend can wait for: a simple query, or the messages of the
// extended query up to an Execute, or up to a Sync or Flush where none is executed. Its place is
// that of the first byte of the first of them. Connections that turn to TLS or GSSAPI are
// given up.
package postgresql

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database/packet"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database/sql"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/thin"
)

// Options configures the protocol.
type Options struct {
	// Query says what is shown of a statement; empty is sql.Redact.
	Query sql.Query
	// Thinner decides which requests are left out; nil keeps all.
	Thinner *thin.Thinner
	// Reporter hears of connections that cannot be read; nil tells nobody.
	Reporter database.Reporter
}

// Protocol is PostgreSQL's.
type Protocol struct {
	options Options
	losses  *loss.Counts
}

// New makes the protocol; what its parsers lose is counted in losses.
func New(o Options, losses *loss.Counts) *Protocol { return &Protocol{options: o, losses: losses} }

// Name implements protocol.Protocol.
func (*Protocol) Name() string { return "postgresql" }

// NewParser implements protocol.Protocol.
func (o *Protocol) NewParser(c *conn.Conn, sink protocol.Sink) protocol.Parser {
	p := &parser{protocol: o, session: database.Session{
		Conn: c, Sink: sink, Losses: o.losses, Thinner: o.options.Thinner, Reporter: o.options.Reporter,
	}}
	p.streams = packet.NewStreams(&p.session, p)
	return p
}
