// Package mysql finds the exchanges on connections that speak the client/server protocol of MySQL and
// MariaDB, of which only some bytes were captured:
// https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html and
// https://mariadb.com/kb/en/clientserver-protocol/.
//
// An exchange is a command and its answer, or logging in, from the client's first packet to the
// server's verdict. Its place is that of the first byte of the first packet. Connections that turn to
// TLS or compression are given up.
package mysql

import (
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

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

// Protocol is MySQL's and MariaDB's.
type Protocol struct {
	options Options
	losses  *loss.Counts
}

// New makes the protocol; what its parsers lose is counted in losses.
func New(o Options, losses *loss.Counts) *Protocol { return &Protocol{options: o, losses: losses} }

// Name implements protocol.Protocol.
func (*Protocol) Name() string { return "mysql" }

// NewParser implements protocol.Protocol.
func (o *Protocol) NewParser(c *conn.Conn, sink protocol.Sink) protocol.Parser {
	p := &parser{protocol: o, system: semconv.DBSystemNameMySQL, session: database.Session{
		Conn: c, Sink: sink, Losses: o.losses, Thinner: o.options.Thinner, Reporter: o.options.Reporter,
	}}
	p.streams = packet.NewStreams(&p.session, p)
	return p
}
