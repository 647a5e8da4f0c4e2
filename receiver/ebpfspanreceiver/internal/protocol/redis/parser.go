package redis

import (
	"bytes"
	"strconv"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database"
)

// parser follows one connection.
type parser struct {
	protocol *Protocol
	session  database.Session
	sided    bool
	streams  [2]stream
	queue    database.Queue[*request]
	// aligned says that it is known whose the next answer is. After bytes were missed it
	// may be somebody's else, until a turn of requests begins while nobody waits; answered
	// that such a turn may tell.
	aligned, answered bool
	// namespace is the number of the connection's database, empty where it is not known.
	namespace string
	// subscribed says that answers may be messages that nobody asked for.
	subscribed bool
	// silent says that commands are not answered, silentOnce that the next one is not.
	silent, silentOnce bool
}

// Segment implements protocol.Parser.
func (p *parser) Segment(s *conn.Segment) {
	if s.Size == 0 {
		return
	}
	if !p.sided {
		p.decideSide(s)
	}
	p.streams[s.Direction].segment(s)
}

// decideSide follows the first segment, which Classify has recognised.
func (p *parser) decideSide(s *conn.Segment) {
	p.sided = true
	requests := len(s.Data) == 0 || !isKind(s.Data[0]) || s.Data[0] == '*'
	if requests == (s.Direction == conn.Sent) {
		p.session.Side = protocol.Client
	} else {
		p.session.Side = protocol.Server
	}
	if requests && s.Offset == 0 && !s.Conn.Unix {
		p.aligned, p.namespace = true, "0"
	}
}

func (p *parser) answers() *stream {
	return &p.streams[p.session.Side.RequestDirection().Opposite()]
}

// begin begins a request with the command's name.
func (p *parser) begin(st *stream, name []byte) {
	if p.queue.Len() == 0 && p.answered && st.place == st.turned {
		p.aligned = true
	}
	if last, waits := p.queue.Last(); waits && last.Request.First.Time != st.first.Time {
		p.session.Conn.Shared = true // a pipeline of one task is written at once
	}
	if p.queue.Len() >= database.Crowded {
		p.session.Whole()
	}
	if p.queue.Full() {
		p.session.Lose(loss.PipelineFull)
		p.queue.Push(nil)
		return
	}
	r := newRequest(name)
	r.Namespace = p.namespace
	r.Title(r.name)
	p.queue.Push(r)
	st.request = r
	p.session.Begin(&r.Exchange, st.place, st.first)
	r.Request.Move(st.offset-st.place, protocol.NotBefore(st.at, st.first.Time))
}

// argument takes a command's name or one of its arguments.
func (p *parser) argument(st *stream, b []byte, whole bool) {
	switch {
	case st.bulks > 1 && st.request != nil:
		st.request.argument(b, whole, p.protocol.options.Query)
	case st.bulks > 1:
	case whole && isName(b):
		p.begin(st, b)
	case !whole && isName(b):
		p.lost(st, loss.HeadTooLong)
	default:
		p.malformed(st)
	}
}

// inline takes a command that is a line of text.
func (p *parser) inline(st *stream, line []byte) {
	for i, word := range bytes.Fields(line) {
		st.bulks = uint64(i + 1)
		if p.argument(st, word[:min(len(word), maxArgument)], len(word) <= maxArgument); st.part == adrift {
			return
		}
	}
	st.messageEnds(nil)
}

// requestEnds follows a command's last byte.
func (p *parser) requestEnds(st *stream) {
	r := st.request
	if r == nil || r.Ended() {
		return
	}
	r.Request.Complete = true
	p.requestRead(r)
	if r.command.nature == subscribing {
		p.subscribed = true
		r.answers = max(1, r.arguments)
	}
	p.silence(r)
}

// requestRead follows what is seen of a command.
func (p *parser) requestRead(r *request) {
	if r.Ended() {
		return
	}
	r.describe(p.protocol.options.Query)
	p.session.Read(&r.Exchange)
}

// silence follows CLIENT REPLY, and ends commands that are not answered.
func (p *parser) silence(r *request) {
	unanswered := p.silent || p.silentOnce
	p.silentOnce = false
	switch r.reply {
	case "ON":
		p.silent, unanswered = false, false
	case "OFF":
		p.silent, unanswered = true, true
	case "SKIP":
		p.silentOnce, unanswered = true, true
	}
	if last, _ := p.queue.Last(); unanswered && last == r {
		p.queue.Drop()
		p.session.Finish(&r.Exchange, r.Request.Last)
	}
}

// answerBegins follows the first byte of an answer. Of what may be a message that nobody
// asked for, more must be seen.
func (p *parser) answerBegins(st *stream) {
	if st.kind == '>' || st.kind == '*' && p.subscribed {
		return
	}
	p.assign(st)
}

// assign finds whose an answer is.
func (p *parser) assign(st *stream) {
	r, found, waiting := p.queue.Front()
	switch {
	case found:
		st.request = r
		p.session.Respond(&r.Exchange, 0, st.first)
		if n := st.offset - st.place; n > 0 {
			p.session.Respond(&r.Exchange, n, st.at)
		}
	case !waiting:
		// It answers what was not seen.
		if p.aligned {
			p.session.Lose(loss.MalformedMessage)
		}
		p.aligned, p.answered = false, false
	}
}

// answerString takes a string of an answer. The first one of a message that nobody asked
// for says what it is.
func (p *parser) answerString(st *stream) {
	if st.bulks != 1 || st.request != nil || st.kind != '>' && (st.kind != '*' || !p.subscribed) {
		return
	}
	r, found, _ := p.queue.Front()
	name := upper(st.text)
	switch {
	case commands[name].nature == subscribing:
		if found && r.name == name {
			p.assign(st)
		}
	case st.kind == '>', isMessage(name):
	default:
		p.assign(st)
	}
}

// isMessage reports whether an array that begins so is a message to a subscriber.
func isMessage(name string) bool {
	return name == "MESSAGE" || name == "PMESSAGE" || name == "SMESSAGE"
}

// answerEnds follows the last byte of an answer.
func (p *parser) answerEnds(st *stream, text []byte) {
	if st.request == nil && st.kind != '>' && p.subscribed && st.kind == '*' && st.bulks == 0 {
		p.assign(st)
	}
	r := st.request
	if r == nil {
		if st.kind != '>' && (st.kind != '*' || !p.subscribed) {
			p.queue.Skip()
		}
		return
	}
	switch st.kind {
	case '-':
		r.failed(text[min(1, len(text)):])
	case '!':
		r.failed(text)
	default:
		if r.answers--; r.answers > 0 {
			return
		}
		p.follow(r, st.kind)
	}
	p.complete(st, r)
}

// follow follows what a command changes, now that it was answered without an error.
func (p *parser) follow(r *request, kind byte) {
	switch {
	case r.command.nature == streaming:
		p.stop()
	case kind != '+':
	case r.command.nature == selecting:
		p.namespace = index(r.first)
	case r.command.nature == resetting:
		p.namespace, p.subscribed, p.silent = "0", false, false
	}
}

// stop gives the connection up: what follows are no commands and answers.
func (p *parser) stop() {
	for d := range p.streams {
		p.streams[d].part = closed
	}
}

// complete ends the first request, whose answer's last byte was read.
func (p *parser) complete(st *stream, r *request) {
	// Where it is not known whose answer this is, it may still be the only one.
	r.Response.Complete = p.aligned || p.queue.Len() == 1 && st.offset == st.end
	p.answered = true
	p.queue.Pop()
	p.session.Finish(&r.Exchange, r.Response.Last)
}

// malformed follows bytes that are no message where one was expected.
func (p *parser) malformed(st *stream) { p.lost(st, loss.MalformedMessage) }

// lost follows what shows that it is not known any more where messages begin.
func (p *parser) lost(st *stream, why loss.Reason) {
	p.session.Lose(why)
	p.aligned, p.answered = false, false
	r, requests := st.request, st.isRequests()
	if why == loss.HeadTooLong && (requests || p.queue.Len() > 1) {
		p.session.Whole()
	}
	st.part, st.line, st.request = adrift, st.line[:0], nil
	switch {
	case requests && r != nil:
		p.requestRead(r)
	case !requests && r == nil:
		if front, found, _ := p.queue.Front(); found {
			st.request = front
			p.session.Respond(&front.Exchange, 0, st.at)
		}
	case !requests:
		st.request = r
	}
}

// strayed follows the end of a segment whose last bytes may be those of a message, after
// it was lost where messages begin. If one request waits, that was its answer.
func (p *parser) strayed(st *stream) {
	if st.isRequests() || st.request == nil {
		return
	}
	st.request = nil
	if r, found, _ := p.queue.Front(); found && p.queue.Len() == 1 {
		p.complete(st, r)
		return
	}
	p.unanswered()
}

// overtaken ends the request whose answer was lost on the way, now that another one comes.
func (p *parser) overtaken(st *stream) {
	r := st.request
	if r == nil {
		return
	}
	st.request = nil
	p.queue.Pop()
	p.session.Finish(&r.Exchange, r.Response.Last)
}

// unanswered ends all requests as ones whose answers were not seen.
func (p *parser) unanswered() {
	for _, r := range p.queue.Take() {
		p.session.Lost(&r.Exchange, loss.StreamGap)
	}
}

// Tick implements protocol.Parser.
func (p *parser) Tick(now int64) {
	st := p.answers()
	if st.part == adrift && st.request != nil && st.request.Paused(now) {
		st.request = nil
		p.unanswered()
	}
}

// End implements protocol.Parser.
func (p *parser) End(d conn.Direction, cause conn.Cause, at conn.Origin) {
	if !p.session.Ends(d, cause) {
		return
	}
	for d := range p.streams {
		p.streams[d].request = nil
	}
	for _, r := range p.queue.Take() {
		p.session.BreakOff(&r.Exchange, cause, at)
	}
}

// index is the number of a database as it is told, empty where it is none.
func index(text string) string {
	if n, err := strconv.ParseUint(text, 10, 16); err == nil {
		return strconv.FormatUint(n, 10)
	}
	return ""
}
