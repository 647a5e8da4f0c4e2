package postgresql

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database/sql"
)

// prepare reads a statement's text, which partial says is cut.
func (p *parser) prepare(body []byte, partial bool) *sql.Statement {
	raw, _ := cutText(body)
	return sql.Read(raw, partial, sql.PostgreSQL, p.protocol.options.Query)
}

// statements are the prepared ones of a connection, and the portals that they are bound to, by
// their names. The unnamed one is the empty name's.
type statements struct {
	prepared, portals sql.Prepared[string]
}

func (s *statements) prepare(name []byte, of *sql.Statement) { s.prepared.Put(string(name), of) }

// bind makes a portal of a statement, which it returns. It is nil where the statement was
// prepared before the connection was seen.
func (s *statements) bind(portal, of []byte) *sql.Statement {
	bound := s.prepared.Get(string(of))
	s.portals.Put(string(portal), bound)
	return bound
}

func (s *statements) portal(name []byte) *sql.Statement { return s.portals.Get(string(name)) }

// named returns what Describe and Close mean by 'S' or 'P' and a name.
func (s *statements) named(b []byte) *sql.Statement {
	if len(b) == 0 {
		return nil
	}
	return s.of(b[0]).Get(string(b[1:]))
}

func (s *statements) close(b []byte) {
	if len(b) > 0 {
		s.of(b[0]).Remove(string(b[1:]))
	}
}

func (s *statements) of(kind byte) *sql.Prepared[string] {
	if kind == 'P' {
		return &s.portals
	}
	return &s.prepared
}
