package postgresql

import (
	"bytes"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database/packet"
)

// aborted is error.type of what was not executed because of an error before it.
const aborted = "pipeline_aborted"

// backend takes a message of the backend.
func (p *parser) backend(st *packet.Stream) {
	switch kindOf(st) {
	case 'N', 'A', 'S', 'K', 'v':
		return // may come at any time, or says nothing of an answer
	case 'W':
		p.streams.Close() // replication: both sides stream
	}
	u, found, waiting := p.queue.Front()
	switch {
	case !found:
		p.nobody(st, waiting)
		return
	case u.silent:
		if kindOf(st) == 'Z' {
			p.queue.Pop()
		}
		return
	}
	p.session.Respond(&u.Exchange, 0, st.First)
	p.session.Respond(&u.Exchange, st.Size(), st.At)
	switch kindOf(st) {
	case 'E':
		p.failed(st, u)
	case 'C':
		p.completed(st, u)
	case 'I', 's':
		p.executed(st, u)
	case '1', '2', '3', 'T', 'n':
		if u.expected--; u.expected <= 0 && u.flushed && !u.sync && !u.executes {
			p.finish(st, u)
		}
	case 'Z':
		p.readyUp(st)
	}
}

// nobody follows an answer to what is not known.
func (p *parser) nobody(st *packet.Stream, waiting bool) {
	switch {
	case waiting && (kindOf(st) == 'Z' || kindOf(st) == 'C'):
		p.queue.Skip()
	case waiting:
	case kindOf(st) == 'E' || kindOf(st) == 'Z':
		// The backend may also say by itself why it ends the connection.
		p.aligned, p.answered = false, false
	}
}

// failed follows an error.
func (p *parser) failed(st *packet.Stream, u *unit) {
	if code := field(st.Body, 'C'); !u.failed {
		u.Fail(code)
	}
	u.failed = true
	if u.kind == startup {
		p.finish(st, u) // the backend ends the connection
	}
	if u.kind == extended {
		p.skipping = true
		if !u.sync {
			p.finish(st, u)
		}
	}
}

// field returns a field of an error, by its type, as far as it came.
func field(body []byte, kind byte) string {
	for f := range bytes.SplitSeq(body, []byte{0}) {
		if len(f) > 1 && f[0] == kind && isText(f) {
			return string(bytes.ToValidUTF8(f[1:], []byte("?")))
		}
	}
	return "_OTHER"
}

// completed follows a command that was executed. Its tag names it, with the number of rows.
func (p *parser) completed(st *packet.Stream, u *unit) {
	tag, _ := cutText(st.Body)
	u.tags++
	u.Operation = ""
	if u.tags == 1 {
		u.Operation = operation(tag)
	}
	if u.Summary == "" && u.kind != startup {
		u.Title("query")
	}
	p.executed(st, u)
}

// operation returns the words at the beginning of a tag.
func operation(tag []byte) string {
	n := 0
	for n < len(tag) && (tag[n] == ' ' || 'A' <= tag[n] && tag[n] <= 'Z') {
		n++
	}
	return string(bytes.TrimSpace(tag[:n]))
}

// executed follows the answer to an Execute, which goes on where a Sync came with it.
func (p *parser) executed(st *packet.Stream, u *unit) {
	if u.kind == extended && u.executes && !u.sync {
		p.finish(st, u)
	}
}

// readyUp ends all units up to the one that ReadyForQuery belongs to.
func (p *parser) readyUp(st *packet.Stream) {
	for {
		u, found, _ := p.queue.Front()
		if !found {
			p.queue.Skip()
			break
		}
		last := u.sync
		p.ready(st, u, last)
		if last {
			break
		}
	}
	p.skipping = false
}

// ready ends the first unit: the one that the answer was for, or one before it.
func (p *parser) ready(st *packet.Stream, u *unit, last bool) {
	switch {
	case u.silent:
		p.queue.Pop()
	case p.skipping && !u.failed:
		u.ErrorType, u.Failed = aborted, true
		u.ErrorMessage = "an error of a command before it in the pipeline left it out"
		p.session.Respond(&u.Exchange, 0, st.At)
		p.finish(st, u)
	case last || p.queue.Len() == 1:
		p.session.Respond(&u.Exchange, 0, st.At)
		p.finish(st, u)
	default:
		p.queue.Pop()
		p.session.Lost(&u.Exchange, loss.StreamGap)
	}
}

// finish ends the first unit.
func (p *parser) finish(st *packet.Stream, u *unit) {
	// Where it is not known whose answer this is, it may still be the only one.
	u.Response.Complete = p.aligned || p.queue.Len() == 1 && st.Offset == st.End
	p.answered = true
	if p.group == u {
		p.group = nil
	}
	p.queue.Pop()
	p.session.Finish(&u.Exchange, u.Response.Last)
}
