package postgresql

import (
	"bytes"
	"encoding/binary"
	"strings"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database/packet"
)

// kind is what a unit asks for.
type kind uint8

const (
	// extended: messages of the extended query.
	extended kind = iota
	// simple: a simple query or a function call, which ReadyForQuery ends.
	simple
	// startup: all up to the first ReadyForQuery.
	startup
	// cancel: on a connection of its own, never answered.
	cancel
)

// unit is what waits for an answer of its own.
type unit struct {
	database.Exchange
	kind kind
	// silent says that it is a Sync alone, of which no span is made.
	silent bool
	// parses and closes say which messages it has, executes that it ends with Execute.
	parses, closes, executes bool
	// expected is how many of its messages are to be answered, apart from Execute; flushed that
	// a Flush asks for that. sync says that ReadyForQuery ends it.
	expected      int
	flushed, sync bool
	// failed says that an error was its answer, tags how many commands were completed.
	failed bool
	tags   int
	// begun says that its first byte was told of.
	begun bool
}

// parser follows one connection.
type parser struct {
	protocol *Protocol
	session  database.Session
	sided    bool
	streams  packet.Streams
	queue    database.Queue[*unit]
	// group is the unit of the extended query to which messages are added, nil between units.
	group *unit
	// aligned says that it is known whose the next answer is. After bytes were missed it
	// may be somebody's else, until a turn of requests begins while nobody waits; answered
	// that such a turn may tell.
	aligned, answered bool
	// skipping says that the backend leaves out what it reads up to the next Sync.
	skipping bool
	// negotiating says that one byte answers a request for encryption.
	negotiating bool
	namespace   string
	statements  statements
}

// Segment implements protocol.Parser.
func (p *parser) Segment(s *conn.Segment) {
	if s.Size == 0 {
		return
	}
	if !p.sided {
		p.sided = true
		if s.Direction == conn.Sent {
			p.session.Side = protocol.Client
		}
		// What begins a connection is a message without a type.
		p.aligned = len(s.Data) > 0 && s.Data[0] == 0
	}
	p.streams.Segment(s)
}

// negotiates reports whether b is the byte that answers a request for encryption.
func (p *parser) negotiates(st *packet.Stream, b byte) bool {
	if !p.negotiating || st.IsRequests() {
		return false
	}
	p.negotiating = false
	switch b {
	case 'S':
		p.unreadable("TLS", "sslmode=disable")
	case 'G':
		p.unreadable("GSSAPI", "gssencmode=disable")
	case 'N':
	default:
		return false // an error, as servers before 7.0 have it
	}
	return true
}

// unreadable gives the connection up, as from here on nothing can be read.
func (p *parser) unreadable(by, option string) {
	p.session.Unreadable(database.Unreadable{Protocol: p.protocol.Name(), By: by, Option: option})
	p.streams.Close()
}

// Message implements packet.Handler.
func (p *parser) Message(st *packet.Stream) {
	switch {
	case !st.IsRequests():
		p.backend(st)
	case kindOf(st) == 0:
		p.opening(st)
	default:
		p.frontend(st)
	}
}

// opening takes a message without a type.
func (p *parser) opening(st *packet.Stream) {
	if len(st.Body) < untyped {
		return
	}
	code := binary.BigEndian.Uint32(st.Body)
	switch {
	case code == codeSSL, code == codeGSS:
		p.negotiating = true
	case code == codeCancel:
		u := &unit{kind: cancel}
		u.Title("cancel")
		p.begin(st, u)
		p.read(u)
	case code>>16 == majorNumber:
		p.namespace = namespaceOf(st.Body[untyped:])
		u := &unit{kind: startup, sync: true}
		u.Namespace = p.namespace
		u.Opens = true
		u.Title("startup")
		p.begin(st, u)
		p.read(u)
	}
}

// namespaceOf returns the database's name in the parameters of a startup message: that of
// the user where none is given.
func namespaceOf(parameters []byte) string {
	words := bytes.Split(parameters, []byte{0})
	values := make(map[string]string)
	for i := 0; i+1 < len(words) && len(words[i]) > 0; i += 2 {
		values[string(words[i])] = strings.ToValidUTF8(string(words[i+1]), "\uFFFD")
	}
	if name := values["database"]; name != "" {
		return name
	}
	return values["user"]
}

// begin begins a unit with the message in st.
func (p *parser) begin(st *packet.Stream, u *unit) {
	if p.queue.Len() == 0 && p.answered && st.Place == st.Turned {
		p.aligned = true
	}
	if p.queue.Len() >= database.Crowded {
		p.session.Whole()
	}
	u.System = semconv.DBSystemNamePostgreSQL
	if !p.queue.Push(u) {
		p.session.Lose(loss.PipelineFull)
		return
	}
	u.begun = true
	p.session.Begin(&u.Exchange, st.Place, st.First)
	u.Request.Move(st.Size(), protocol.NotBefore(st.At, st.First.Time))
}

// read says that all of a unit was sent.
func (p *parser) read(u *unit) {
	if u.begun && !u.Ended() {
		u.Request.Complete = true
		p.session.Read(&u.Exchange)
	}
}

// add counts a further message of a unit.
func (p *parser) add(st *packet.Stream, u *unit) {
	if u.begun && !u.Ended() {
		u.Request.Move(st.Size(), st.At)
	}
}

// Lost implements packet.Handler.
func (p *parser) Lost(st *packet.Stream, why loss.Reason) {
	p.session.Lose(why)
	p.aligned, p.answered = false, false
	if st.IsRequests() {
		if why == loss.HeadTooLong {
			p.session.Whole()
		}
		if u := p.group; u != nil {
			p.group = nil
			if u.begun {
				p.session.Read(&u.Exchange)
			}
		}
		return
	}
	if u, found, _ := p.queue.Front(); found && !u.silent {
		p.session.Respond(&u.Exchange, 0, st.At)
	}
}

var (
	syncMessage = []byte{'S', 0, 0, 0, 4}
	copyDone    = []byte{'c', 0, 0, 0, 4}
	ready       = []byte{'Z', 0, 0, 0, 5}
)

// Strayed implements packet.Handler: the last bytes of a segment may end what is asked or what is answered.
func (p *parser) Strayed(st *packet.Stream) bool {
	if st.IsRequests() {
		return p.askedInTail(st)
	}
	n := len(st.Last)
	if n == 0 || !bytes.HasSuffix(st.Last[:n-1], ready) {
		return false
	}
	p.skipping = false
	syncs := 0
	for _, u := range p.queue.All() {
		if u.sync {
			syncs++
		}
	}
	if syncs > 1 || p.queue.Len() != len(p.queue.All()) {
		p.unanswered()
	} else {
		p.readyUp(st)
	}
	return true
}

// askedInTail takes the message that the last bytes of a segment are: a Sync, or the end of a COPY.
func (p *parser) askedInTail(st *packet.Stream) bool {
	if bytes.HasSuffix(st.Last, syncMessage) {
		st.Place, st.First = st.Offset-uint64(len(syncMessage)), st.At
		p.syncs(st)
		return true
	}
	return bytes.HasSuffix(st.Last, copyDone)
}

// overtaken ends what was being answered when it was lost where messages begin, now that
// another answer begins.
func (p *parser) overtaken() {
	if u, found, _ := p.queue.Front(); found && u.Responded() {
		p.queue.Pop()
		p.session.Finish(&u.Exchange, u.Response.Last)
	}
}

// unanswered ends all units as ones whose answers were not seen.
func (p *parser) unanswered() {
	p.group = nil
	for _, u := range p.queue.Take() {
		if !u.silent {
			p.session.Lost(&u.Exchange, loss.StreamGap)
		}
	}
}

// Tick implements protocol.Parser.
func (p *parser) Tick(now int64) {
	if u, found, _ := p.queue.Front(); found && p.streams.Answers().Adrift() && u.Paused(now) {
		p.unanswered()
	}
}

// End implements protocol.Parser. A request to cancel is not answered; after some errors
// the backend ends the connection.
func (p *parser) End(d conn.Direction, cause conn.Cause, at conn.Origin) {
	if !p.session.Ends(d, cause) {
		return
	}
	p.group = nil
	for _, u := range p.queue.Take() {
		switch {
		case u.silent:
		case u.kind == cancel && cause != conn.Reset, u.failed:
			p.session.Finish(&u.Exchange, at)
		default:
			p.session.BreakOff(&u.Exchange, cause, at)
		}
	}
}
