package mysql

import (
	"strings"

	"go.opentelemetry.io/otel/attribute"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database/packet"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database/sql"
)

// unit is what waits for an answer.
type unit struct {
	database.Exchange
	command byte
	// statement is what a command prepares.
	statement *sql.Statement
	// expects says what the next packet of the answer is, and left how many are still to come where that
	// is counted; then is left of what comes behind.
	expects    expectation
	left, then uint64
	// chooses is the database that is used once it was done, if chosen is true.
	chooses string
	chosen  bool
	// compresses says that all is compressed once it was answered.
	compresses bool
}

// parser follows one connection.
type parser struct {
	protocol *Protocol
	session  database.Session
	sided    bool
	streams  packet.Streams
	queue    database.Queue[*unit]
	system   attribute.KeyValue
	// aligned says that it is known whose the next answer is. After bytes were missed it
	// may be somebody's else, until a turn of commands begins while nobody waits.
	aligned bool
	// known says that the login was seen, and so whether results end without the old EOF packets.
	known, deprecatesEOF bool
	namespace            string
	prepared             sql.Prepared[uint32]
	// last is the statement that was prepared last.
	last *sql.Statement
	// uploads says that the client sends a file's content, and number is that of the last packet before
	// what it sends next.
	uploads bool
	number  byte
}

// Segment implements protocol.Parser.
func (p *parser) Segment(s *conn.Segment) {
	p.streams.Segment(s)
}

// unreadable gives the connection up, as from here on nothing can be read.
func (p *parser) unreadable(by, option string) {
	p.session.Unreadable(database.Unreadable{Protocol: p.protocol.Name(), By: by, Option: option})
	p.streams.Close()
}

// HeaderSize implements packet.Handler.
func (*parser) HeaderSize(*packet.Stream, byte) int { return headerSize }

// ReadHeader implements packet.Handler.
func (*parser) ReadHeader(_ *packet.Stream, header []byte) (packet.Header, bool) {
	n := lengthOf(header)
	return packet.Header{Length: uint64(n), Continues: n == maxLength}, true
}

// Message implements packet.Handler.
func (p *parser) Message(st *packet.Stream) {
	if !p.sided {
		p.sided = true
		if isGreeting(st) != (st.Direction() == conn.Sent) {
			p.session.Side = protocol.Client
		}
	}
	if st.IsRequests() {
		p.request(st)
	} else {
		p.answer(st)
	}
}

// request takes a message of the client's.
func (p *parser) request(st *packet.Stream) {
	if p.queue.Len() == 0 && st.Place == st.Turned {
		p.aligned = true
	}
	p.uploads = p.uploads && sequence(st) == p.number+1
	switch {
	case p.uploads:
		p.uploads, p.number = st.Length > 0, lastSequence(st) // an empty packet ends it
		p.goesOn(st)
	case sequence(st) == 0:
		p.command(st)
	case sequence(st) == 1 && p.queue.Len() == 0 && !p.known:
		p.login(st)
	default: // what proves who logs in
		p.goesOn(st)
	}
}

// goesOn takes what belongs to the first request.
func (p *parser) goesOn(st *packet.Stream) {
	if u, found, _ := p.queue.Front(); found {
		u.Request.Move(st.Size(), st.At)
	}
}

// command takes a packet that begins a command.
func (p *parser) command(st *packet.Stream) {
	switch {
	case len(st.Body) == 0 || !isCommand(st.Body[0]):
		st.Lose(loss.MalformedMessage)
		return
	case st.Body[0] == comBinlogDump, st.Body[0] == comBinlogDumpGTID:
		p.session.Thinner.Unknown(p.session.Conn.Socket)
		p.streams.Close() // replication: the server streams
		return
	case isUnanswered(st.Body[0]):
		p.overtaken()
		if st.Body[0] == comCloseStatement {
			p.prepared.Remove(statementNumber(st.Body))
		}
		return
	}
	u := &unit{command: st.Body[0], expects: expectationOf(st.Body[0])}
	p.describe(st, u)
	p.begin(st, u)
}

// describe notes what a command is about.
func (p *parser) describe(st *packet.Stream, u *unit) {
	u.Namespace = p.namespace
	u.Operation = commandNames[u.command]
	switch u.command {
	case comQuery:
		p.tell(u, p.read(st))
		u.chooses, u.chosen = usedBy(statementIn(st.Body))
	case comPrepare:
		u.statement = p.read(st)
		p.last = u.statement
		p.tell(u, u.statement)
		u.Operation = "PREPARE"
		u.Summary = strings.TrimSpace("PREPARE " + u.Summary)
	case comExecute, comBulkExecute, comFetch, comResetStatement:
		if s := p.statement(statementNumber(st.Body)); s != nil {
			u.Operation = ""
			p.tell(u, s)
		}
	case comInitDB:
		u.chooses, u.chosen = strings.ToValidUTF8(string(st.Body[1:]), "\uFFFD"), true
	case comChangeUser:
		p.changeUser(st, u)
	case comResetConnection:
		p.forget()
	}
	u.Title("query")
}

// statement returns a prepared statement by its number, nil where it is not known.
func (p *parser) statement(number uint32) *sql.Statement {
	// lastPrepared is MariaDB's, for who executes before the answer tells the number.
	const lastPrepared = 0xffffffff
	if number == lastPrepared {
		return p.last
	}
	return p.prepared.Get(number)
}

// forget forgets the statements that were prepared.
func (p *parser) forget() {
	p.prepared.Clear()
	p.last = nil
}

// read reads the statement in a command.
func (p *parser) read(st *packet.Stream) *sql.Statement {
	return sql.Read(statementIn(st.Body), st.Partial, sql.MySQL, p.protocol.options.Query)
}

func (p *parser) tell(u *unit, s *sql.Statement) {
	u.Summary, u.Text, u.Contexts = s.Summary, s.Text, s.Contexts
}

// usedBy returns the database that a statement chooses.
func usedBy(statement []byte) (name string, ok bool) {
	words := strings.Fields(strings.ToValidUTF8(string(statement), "\uFFFD"))
	if len(words) != 2 || !strings.EqualFold(words[0], "use") {
		return "", false
	}
	return strings.Trim(words[1], "`;"), true
}

// begin begins a unit with the message in st, which is all of it.
func (p *parser) begin(st *packet.Stream, u *unit) {
	p.overtaken()
	if p.queue.Len() >= database.Crowded {
		p.session.Whole()
	}
	u.System = p.system
	if !p.queue.Push(u) {
		p.session.Lose(loss.PipelineFull)
		return
	}
	p.session.Begin(&u.Exchange, st.Place, st.First)
	u.Request.Move(st.Size(), protocol.NotBefore(st.At, st.First.Time))
	u.Request.Complete = true
	p.session.Read(&u.Exchange)
}

// overtaken ends what was being answered when it was lost where packets begin, now that
// another command does: hardly a client asks before it was answered.
func (p *parser) overtaken() {
	u, found, _ := p.queue.Front()
	if !p.streams.Answers().Adrift() || !found || !u.Responded() || p.queue.Len() > 1 {
		return
	}
	p.queue.Pop()
	p.session.Finish(&u.Exchange, u.Response.Last)
}

// Lost implements packet.Handler.
func (p *parser) Lost(st *packet.Stream, why loss.Reason) {
	p.session.Lose(why)
	if st.IsRequests() {
		p.aligned, p.uploads = false, false
		if why == loss.HeadTooLong {
			p.session.Whole()
		}
		return
	}
	if p.queue.Len() > 1 {
		p.unanswered() // whose answers were missed cannot be told
		return
	}
	if u, found, _ := p.queue.Front(); found {
		p.session.Respond(&u.Exchange, 0, st.At)
	}
}

// Resumes implements packet.Handler: a turn may begin with a command, or with the first packet of
// an answer.
func (*parser) Resumes(st *packet.Stream, data []byte, turn bool) bool {
	switch {
	case !turn || len(data) < headerSize || lengthOf(data) == 0:
		return false
	case st.IsRequests():
		return data[3] == 0 && (len(data) == headerSize || isCommand(data[headerSize]))
	}
	return data[3] == 1
}

// unanswered ends all units as ones whose answers were not seen to their ends.
func (p *parser) unanswered() {
	for _, u := range p.queue.Take() {
		p.session.Lost(&u.Exchange, loss.StreamGap)
	}
	p.aligned = false
}

// Tick implements protocol.Parser.
func (p *parser) Tick(now int64) {
	if u, found, _ := p.queue.Front(); found && p.streams.Answers().Adrift() && u.Paused(now) {
		p.unanswered()
	}
}

// End implements protocol.Parser.
func (p *parser) End(d conn.Direction, cause conn.Cause, at conn.Origin) {
	if !p.session.Ends(d, cause) {
		return
	}
	for _, u := range p.queue.Take() {
		p.session.BreakOff(&u.Exchange, cause, at)
	}
}
