package postgresql

import (
	"bytes"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database/packet"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database/sql"
)

// frontend takes a message of the frontend.
func (p *parser) frontend(st *packet.Stream) {
	switch kindOf(st) {
	case 'Q':
		u := &unit{kind: simple, sync: true}
		p.describe(u, p.prepare(st.Body, st.Partial), "query")
		p.alone(st, u)
	case 'F':
		u := &unit{kind: simple, sync: true}
		p.describe(u, nil, "function call")
		p.alone(st, u)
	case 'P', 'B', 'D', 'C':
		p.extend(st)
	case 'E':
		p.executes(st)
	case 'S':
		p.syncs(st)
	case 'H':
		if u := p.group; u != nil {
			p.add(st, u)
			u.flushed = true
			p.groupEnds()
		}
	case 'd', 'c', 'f', 'p':
		if u, found, _ := p.queue.Front(); found && !u.silent {
			p.add(st, u)
		}
	}
}

// alone takes a message that is a request by itself.
func (p *parser) alone(st *packet.Stream, u *unit) {
	p.groupEnds()
	p.begin(st, u)
	p.read(u)
}

// extend takes a message that prepares for an Execute, or stands for itself.
func (p *parser) extend(st *packet.Stream) {
	name, rest := cutText(st.Body)
	var s *sql.Statement
	parses, closes := false, false
	switch kindOf(st) {
	case 'P':
		s, parses = p.prepare(rest, st.Partial), true
		p.statements.prepare(name, s)
	case 'B':
		of, _ := cutText(rest)
		s = p.statements.bind(name, of)
	case 'D':
		s = p.statements.named(name)
	case 'C':
		s, closes = p.statements.named(name), true
		p.statements.close(name)
	}
	u := p.extended(st, s)
	u.expected++
	u.parses, u.closes = u.parses || parses, u.closes || closes
}

// extended returns the unit that the message in st belongs to, which is about s, if that
// is known.
func (p *parser) extended(st *packet.Stream, s *sql.Statement) *unit {
	u := p.group
	if u == nil {
		u = &unit{kind: extended}
		p.describe(u, s, "execute")
		p.begin(st, u)
		p.group = u
		return u
	}
	p.add(st, u)
	if u.Summary == "" && !u.Ended() {
		p.describe(u, s, "execute")
	}
	return u
}

func (p *parser) executes(st *packet.Stream) {
	portal, _ := cutText(st.Body)
	u := p.extended(st, p.statements.portal(portal))
	u.executes = true
	p.groupEnds()
}

// groupEnds follows the last message of a unit of the extended query.
func (p *parser) groupEnds() {
	u := p.group
	if u == nil {
		return
	}
	p.group = nil
	if !u.executes && !u.Ended() {
		u.prepares()
	}
	p.read(u)
}

// prepares names what executes nothing for what it does.
func (u *unit) prepares() {
	switch {
	case u.parses:
		u.Operation = "PREPARE"
	case u.closes:
		u.Operation = "CLOSE"
	default:
		u.Operation = "DESCRIBE"
	}
	if u.Summary != "" {
		u.Summary = u.Operation + " " + u.Summary
	}
	u.Title(u.Operation)
}

// syncs takes a Sync: it belongs to the last unit, if that was not answered before.
func (p *parser) syncs(st *packet.Stream) {
	u := p.group
	if u == nil {
		u, _ = p.queue.Last()
	}
	if u == nil || u.sync {
		u = &unit{silent: true, sync: true}
		p.queue.Push(u)
		return
	}
	u.sync = true
	p.add(st, u)
	p.groupEnds()
}

// describe notes what a unit is about.
func (p *parser) describe(u *unit, s *sql.Statement, otherwise string) {
	u.Namespace = p.namespace
	if s != nil {
		u.Summary, u.Text = s.Summary, s.Text
		u.Contexts = s.Contexts
	}
	u.Title(otherwise)
}

// cutText returns the text at the beginning of b, and what follows it.
func cutText(b []byte) (text, rest []byte) {
	text, rest, _ = bytes.Cut(b, []byte{0})
	return text, rest
}
