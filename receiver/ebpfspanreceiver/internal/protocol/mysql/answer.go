package mysql

import (
	"encoding/binary"
	"strconv"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database/packet"
)

// The first byte of a packet of the server's.
const (
	packetOK    = 0x00
	packetFile  = 0xfb // it wants a file of the client's
	packetEnd   = 0xfe // EOF, or OK in its place
	packetError = 0xff
)

// Flags of the server's status: SERVER_STATUS_flags_enum.
const (
	statusMoreResults = 1 << 3
	statusCursor      = 1 << 6
)

// sizeEOF is that of an EOF packet, whose place OK packets have taken, which are longer.
const sizeEOF = 5

// progress is the number of an error that is none, but tells how far a command is (MariaDB).
const progress = 0xffff

// expectation is what the next packet of an answer is.
type expectation uint8

const (
	// one packet, whatever it says.
	one expectation = iota
	// result: OK, an error, a request for a file, or how many columns follow.
	result
	// columns: the definition of one.
	columns
	// behindColumns: EOF, or the first row.
	behindColumns
	// rows: one, or what ends them.
	rows
	// preparation: what was prepared, or an error.
	preparation
	// parameters: definitions of parameters and of columns, after which there may be EOF packets.
	parameters
	// lastEOF: the EOF packet after all of them.
	lastEOF
	// verdict: OK, an error, or what the client has to answer to log in.
	verdict
)

// expectationOf is what the first packet of an answer to a command is.
func expectationOf(command byte) expectation {
	switch {
	case hasRows(command):
		return result
	case command == comPrepare:
		return preparation
	case command == comFetch, command == comFieldList:
		return rows
	}
	return one
}

// answer takes a message of the server.
func (p *parser) answer(st *packet.Stream) {
	u, found, waiting := p.queue.Front()
	if found && u.expects == lastEOF && !isEOF(st) {
		p.finish(st, u) // it is the next one's
		u, found, waiting = p.queue.Front()
	}
	switch {
	case !found && waiting:
		st.Lose(loss.StreamGap) // whose answer it is cannot be told
	case !found:
		if isGreeting(st) {
			p.greeting(st)
		}
	case len(st.Body) == 0:
		st.Lose(loss.MalformedMessage)
	case !isProgress(st):
		p.session.Respond(&u.Exchange, 0, st.First)
		p.session.Respond(&u.Exchange, st.Size(), st.At)
		p.expected(st, u)
	}
}

// isProgress reports whether a packet only tells how far a command is.
func isProgress(st *packet.Stream) bool {
	return st.Body[0] == packetError && len(st.Body) > 2 && binary.LittleEndian.Uint16(st.Body[1:]) == progress
}

// isEOF reports whether a packet is the old end of definitions or rows.
func isEOF(st *packet.Stream) bool {
	return st.Length == sizeEOF && len(st.Body) > 0 && st.Body[0] == packetEnd
}

// expected takes the packet that an answer goes on with.
func (p *parser) expected(st *packet.Stream, u *unit) {
	if st.Body[0] == packetError {
		p.failed(st, u)
		return
	}
	switch u.expects {
	case result:
		p.results(st, u)
	case columns:
		if u.left--; u.left == 0 {
			u.expects = behindColumns
		}
	case behindColumns, rows:
		p.row(st, u)
	case preparation:
		p.preparation(st, u)
	case parameters:
		p.definition(st, u)
	case verdict:
		p.verdict(st, u)
	default:
		p.finish(st, u)
	}
}

// results takes the first packet of a result.
func (p *parser) results(st *packet.Stream, u *unit) {
	switch st.Body[0] {
	case packetFile:
		p.uploads, p.number = true, lastSequence(st)
	case packetOK, packetEnd:
		p.resultEnds(st, u, statusOf(st))
	default:
		n, rest, ok := number(st.Body)
		if !ok || n == 0 {
			st.Lose(loss.MalformedMessage)
			return
		}
		u.left, u.expects = n, columns
		if len(rest) == 1 && rest[0] == 0 {
			u.expects = rows // MariaDB leaves out definitions that the client has (MARIADB_CLIENT_CACHE_METADATA)
		}
	}
}

// row takes a row, or what ends the columns' definitions or the rows.
func (p *parser) row(st *packet.Stream, u *unit) {
	behind := u.expects == behindColumns
	u.expects = rows
	if st.Body[0] != packetEnd || st.Length >= maxLength {
		return // a row may begin with the length of a text that takes 8 bytes, if it is that long
	}
	status := statusOf(st)
	if behind && isEOF(st) && status&statusCursor == 0 {
		return
	}
	p.resultEnds(st, u, status)
}

// resultEnds follows the last packet of a result, after which there may be another one.
func (p *parser) resultEnds(st *packet.Stream, u *unit, status uint16) {
	if status&statusMoreResults != 0 {
		u.expects = result
		return
	}
	p.finish(st, u)
}

// statusOf returns the server's status in an OK or EOF packet.
func statusOf(st *packet.Stream) uint16 {
	if isEOF(st) {
		return binary.LittleEndian.Uint16(st.Body[3:])
	}
	_, rest, ok := number(st.Body[1:]) // how many rows are affected
	if ok {
		_, rest, ok = number(rest) // the last id that was inserted
	}
	if !ok || len(rest) < 2 {
		return 0
	}
	return binary.LittleEndian.Uint16(rest)
}

// preparation takes what tells of a prepared statement: its number, and how many columns and parameters it has.
func (p *parser) preparation(st *packet.Stream, u *unit) {
	// With CLIENT_OPTIONAL_RESULTSET_METADATA it says whether definitions follow.
	const least, flag = 9, 12
	if len(st.Body) < least {
		p.finish(st, u)
		return
	}
	p.prepared.Put(statementNumber(st.Body), u.statement)
	u.then = uint64(binary.LittleEndian.Uint16(st.Body[5:]))
	u.left = uint64(binary.LittleEndian.Uint16(st.Body[7:]))
	u.expects = parameters
	if u.left+u.then == 0 || len(st.Body) > flag && st.Body[flag] == 0 {
		p.finish(st, u)
	}
}

// definition takes the definition of a parameter or column, or an EOF packet between the two.
func (p *parser) definition(st *packet.Stream, u *unit) {
	if isEOF(st) {
		return
	}
	if u.left == 0 {
		u.left, u.then = u.then, 0
	}
	if u.left--; u.left+u.then > 0 {
		return
	}
	switch {
	case p.known && p.deprecatesEOF, !p.known && st.Offset == st.End:
		p.finish(st, u) // where it is not known whether an EOF follows, it would have come along
	default:
		u.expects = lastEOF
	}
}

// statementNumber returns the number of a prepared statement, in commands and in the answer that tells it.
func statementNumber(body []byte) uint32 {
	if len(body) < 5 {
		return 0
	}
	return binary.LittleEndian.Uint32(body[1:])
}

// verdict takes what the server says of who wants to log in.
func (p *parser) verdict(st *packet.Stream, u *unit) {
	if st.Body[0] != packetOK {
		return // it asks for more
	}
	p.finish(st, u)
	if u.compresses {
		p.unreadable("compression", "compression-algorithms=uncompressed; MariaDB: skip-compress")
	}
}

// failed follows an error, which ends an answer.
func (p *parser) failed(st *packet.Stream, u *unit) {
	code := "_OTHER"
	if len(st.Body) > 2 {
		code = strconv.Itoa(int(binary.LittleEndian.Uint16(st.Body[1:])))
	}
	u.Fail(code)
	p.finish(st, u)
}

// finish ends the first unit.
func (p *parser) finish(st *packet.Stream, u *unit) {
	// Where it is not known whose answer this is, it may still be the only one.
	u.Response.Complete = p.aligned || p.queue.Len() == 1 && st.Offset == st.End
	if u.chosen && !u.Failed {
		p.namespace = u.chooses
	}
	p.queue.Pop()
	p.session.Finish(&u.Exchange, u.Response.Last)
}

// Strayed implements packet.Handler: rows end with an EOF packet, or with an OK packet in its place.
func (p *parser) Strayed(st *packet.Stream) bool {
	u, found, _ := p.queue.Front()
	if !found || st.IsRequests() {
		return false
	}
	p.session.Respond(&u.Exchange, 0, st.At)
	status, ends := endIn(st.Last)
	switch {
	case !ends || status&statusMoreResults != 0:
		return false
	case p.queue.Len() > 1:
		p.unanswered() // others' answers may have been among what was not seen
		return false
	}
	p.finish(st, u)
	return true
}

// endIn returns the status in the packet that ends rows, if the last bytes of an answer are one.
func endIn(tail []byte) (status uint16, ok bool) {
	const least = 8
	switch {
	case len(tail) < least:
		return 0, false
	case tail[0] == 0 && tail[1] == 0 && tail[3] == packetEnd: // 05 00 00 number fe, warnings, status
		return binary.LittleEndian.Uint16(tail[6:]), true
	case tail[1] == packetEnd && tail[2] == 0 && tail[3] == 0: // number fe 0 0, status, warnings
		return binary.LittleEndian.Uint16(tail[4:]), true
	}
	return 0, false
}
