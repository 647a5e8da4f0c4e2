package postgresql

import (
	"slices"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/propagation"
)

// maxStatements is how many prepared statements and how many portals of a connection are
// remembered, and maxText how much of a statement's text, in bytes.
const (
	maxStatements = 256
	maxText       = 2048
)

// statement is what may be told of a statement.
type statement struct {
	text, summary string
	contexts      []protocol.TraceContext
}

// prepare reads a statement's text, which partial says is cut.
func (p *parser) prepare(body []byte, partial bool) *statement {
	raw, _ := cutText(body)
	if len(raw) > maxText {
		raw, partial = raw[:maxText], true
	}
	sql := scan(string(raw))
	s := &statement{summary: sql.summary.String()}
	switch p.protocol.options.Query {
	case QueryDrop:
	case QueryKeep:
		s.text = sql.kept(string(raw))
	default:
		s.text = sql.text()
	}
	if partial && s.text != "" {
		s.text += "..."
	}
	if len(sql.comments) > 0 {
		s.contexts = propagation.Extract(sql.comments)
	}
	return s
}

// statements are the prepared ones of a connection, and the portals that they are bound to, by
// their names. The unnamed one is the empty name's.
type statements struct {
	prepared, portals named
}

// named holds statements by name; where there are too many, the oldest one goes.
type named struct {
	byName map[string]*statement
	names  []string
}

func (n *named) put(name []byte, s *statement) {
	if _, known := n.byName[string(name)]; !known {
		if len(n.names) >= maxStatements {
			delete(n.byName, n.names[0])
			n.names = n.names[1:]
		}
		if n.byName == nil {
			n.byName = make(map[string]*statement)
		}
		n.names = append(n.names, string(name))
	}
	n.byName[string(name)] = s
}

func (n *named) remove(name []byte) {
	if _, known := n.byName[string(name)]; !known {
		return
	}
	delete(n.byName, string(name))
	n.names = slices.DeleteFunc(n.names, func(other string) bool { return other == string(name) })
}

func (s *statements) prepare(name []byte, of *statement) { s.prepared.put(name, of) }

// bind makes a portal of a statement, which it returns. It is nil where the statement was
// prepared before the connection was seen.
func (s *statements) bind(portal, of []byte) *statement {
	bound := s.prepared.byName[string(of)]
	s.portals.put(portal, bound)
	return bound
}

func (s *statements) portal(name []byte) *statement { return s.portals.byName[string(name)] }

// named returns what Describe and Close mean by 'S' or 'P' and a name.
func (s *statements) named(b []byte) *statement {
	if len(b) == 0 {
		return nil
	}
	return s.of(b[0]).byName[string(b[1:])]
}

func (s *statements) close(b []byte) {
	if len(b) > 0 {
		s.of(b[0]).remove(b[1:])
	}
}

func (s *statements) of(kind byte) *named {
	if kind == 'P' {
		return &s.portals
	}
	return &s.prepared
}
