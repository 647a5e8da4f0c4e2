// Package sql reads statements of SQL: what may be shown of one, what it does to which tables, and the
// trace contexts in its comments.
package sql

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/propagation"
)

// Query says what is shown of a statement.
type Query string

// The values of Query.
const (
	// Redact shows the statement without its literals and comments.
	Redact Query = "redact"
	// Keep shows it as it is, but for statements that may set a password.
	Keep Query = "keep"
	// Drop leaves the text out.
	Drop Query = "drop"
)

// maxText is how much of a statement's text is read, in bytes.
const maxText = 2048

// Statement is what may be told of a statement.
type Statement struct {
	// Text is db.query.text, Summary db.query.summary.
	Text, Summary string
	Contexts      []protocol.TraceContext
}

// Read reads a statement's text, which cut says is only its beginning.
func Read(raw []byte, cut bool, d Dialect, q Query) *Statement {
	if len(raw) > maxText {
		raw, cut = raw[:maxText], true
	}
	read := scan(string(raw), d)
	s := &Statement{Summary: read.summary.String()}
	switch q {
	case Drop:
	case Keep:
		s.Text = read.kept(string(raw))
	default:
		s.Text = read.text()
	}
	if cut && s.Text != "" {
		s.Text += "..."
	}
	if len(read.pairs) > 0 {
		s.Contexts = propagation.Extract(read.pairs)
	}
	return s
}
