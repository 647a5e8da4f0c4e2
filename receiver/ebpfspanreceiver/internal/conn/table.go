package conn

import (
	"math"
	"strings"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// maxConnections bounds the table; past it the connection that was idle longest
// is forgotten. It matches the kernel side's table.
const maxConnections = 65536

// Table follows the open connections. It is not safe for concurrent use.
type Table struct {
	handler Handler
	losses  *loss.Counts
	limit   int
	// bySocket holds the open connections by their sockets' inode numbers.
	bySocket map[uint64]*Conn
	recent   recency
	flows    flows
	// segment is what is being delivered.
	segment Segment
}

// NewTable returns an empty table that delivers to handler.
func NewTable(handler Handler, losses *loss.Counts) *Table {
	return &Table{
		handler:  handler,
		losses:   losses,
		limit:    maxConnections,
		bySocket: make(map[uint64]*Conn),
		flows:    newFlows(handler, losses),
	}
}

// Event takes the next event. Kinds that do not concern connections are ignored.
func (t *Table) Event(e *capture.Event) {
	switch e.Kind {
	case capture.Send:
		t.move(e, Sent)
	case capture.Sent:
		t.move(e, Sent)
		t.failed(e)
	case capture.Receive:
		t.received(e)
	case capture.SendDatagram:
		t.flows.moved(e, Sent)
	case capture.ReceiveDatagram:
		t.flows.moved(e, Received)
	case capture.Connect:
		c := t.conn(e)
		if c.Connected != nil {
			return // a second call asks what became of the first, which did not wait
		}
		c.Connected = &Origin{e.Time, e.Task}
		t.handler.Connect(c)
	case capture.Accept:
		t.conn(e)
	case capture.Path:
		c := t.conn(e)
		c.LocalPath, c.RemotePath = pathText(e.LocalPath), pathText(e.RemotePath)
	case capture.RoundTrip:
		t.conn(e).Asked = &Origin{e.Time, e.Task}
	case capture.StreamAsked, capture.StreamTaken:
		t.stream(e)
	case capture.Wake:
		t.handler.Wake(Wake{Waker: Origin{e.Time, e.Task}, Woken: e.Woken, Futex: e.Futex})
	case capture.Close:
		t.closed(e)
	case capture.Exit:
		t.exited(e)
	}
}

// stream passes on who deals with a stream. A connection of which nothing was seen has none
// that are known.
func (t *Table) stream(e *capture.Event) {
	if c := t.bySocket[e.Socket]; c != nil && e.Offset <= math.MaxUint32 {
		t.handler.Stream(c, StreamTask{
			Stream: uint32(e.Offset), Taken: e.Kind == capture.StreamTaken, By: Origin{e.Time, e.Task},
		})
	}
}

// Tick passes the time on.
func (t *Table) Tick(now int64) {
	t.handler.Tick(now)
	t.flows.tick(now)
}

// Flush forgets every connection, the longest idle first.
func (t *Table) Flush(now int64) {
	for t.recent.oldest != nil {
		t.end(t.recent.oldest, Forgotten, Origin{Time: now})
	}
	t.flows.flush(now)
}

// Len returns the number of open connections and of flows.
func (t *Table) Len() int { return len(t.bySocket) + t.flows.count }

func (t *Table) received(e *capture.Event) {
	if e.Size == 0 && e.Errno == 0 {
		if c := t.bySocket[e.Socket]; c != nil {
			t.endStream(c, Received, EOF, Origin{e.Time, e.Task})
		}
		return
	}
	t.move(e, Received)
	t.failed(e)
}

// move delivers an event's bytes. Without an identity the kernel side could not
// tell their place.
func (t *Table) move(e *capture.Event, d Direction) {
	if e.Size == 0 {
		return
	}
	if e.Identity == (capture.Identity{}) {
		t.losses.Add(loss.IdentityUnstable, 1)
		return
	}
	c := t.conn(e)
	offset, size, data, ok := c.streams[d].advance(e)
	if !ok {
		return
	}
	turn := !c.turned || c.direction != d
	c.turned, c.direction = true, d
	t.segment = Segment{
		Conn: c, Direction: d, Turn: turn,
		Offset: offset, Size: size, Data: data, Tail: tail(e, size, data),
		Skipped: e.Skipped,
		Frames:  e.Frames && offset == e.Offset,
		Origin:  Origin{e.Time, e.Task},
	}
	t.handler.Segment(&t.segment)
}

// failed ends a connection whose system call failed with an error that lasts.
func (t *Table) failed(e *capture.Event) {
	if e.Errno == 0 || e.Errno == errnoAgain || e.Errno == errnoInterrupted {
		return
	}
	if c := t.bySocket[e.Socket]; c != nil {
		t.end(c, Reset, Origin{e.Time, e.Task})
	}
}

// Error numbers by include/uapi/asm-generic/errno-base.h.
const (
	errnoInterrupted = 4
	errnoAgain       = 11
)

func (t *Table) closed(e *capture.Event) {
	c := t.bySocket[e.Socket]
	if c == nil {
		t.flows.closed(e.Socket, Closed, Origin{e.Time, e.Task})
		return
	}
	cause := Closed
	if e.Errno != 0 {
		cause = Reset
	}
	t.end(c, cause, Origin{e.Time, e.Task})
}

func (t *Table) exited(e *capture.Event) {
	for c := t.recent.oldest; c != nil; {
		next := c.use.later
		if c.PID == e.Task.PID {
			t.end(c, Exited, Origin{e.Time, e.Task})
		}
		c = next
	}
	t.flows.exited(e.Task.PID, Origin{e.Time, e.Task})
}

// conn returns the event's connection, made where it is new. An inode number with
// another identity is another connection: the end of the first was missed.
func (t *Table) conn(e *capture.Event) *Conn {
	c := t.recent.latest // a response follows its request
	if c == nil || c.Socket != e.Socket {
		c = t.bySocket[e.Socket]
	}
	known := e.Identity != (capture.Identity{})
	if c != nil && known && c.Identity != (capture.Identity{}) && !c.Identity.Agrees(e.Identity) {
		t.end(c, Forgotten, Origin{e.Time, e.Task})
		c = nil
	}
	if c == nil {
		c = t.add(e)
	}
	t.recent.touch(c)
	if known && (c.Identity == capture.Identity{} || e.Identity.FirstReceived != 0) {
		c.Identity = e.Identity
	}
	if e.Unix {
		c.Unix = true
	}
	if e.Task.PID != 0 {
		c.PID = e.Task.PID
	}
	if e.Local.IsValid() && e.Local.Port() != 0 {
		c.Local = e.Local
	}
	if e.Remote.IsValid() {
		c.Remote = e.Remote
	}
	return c
}

// pathText makes a path fit for an attribute: the file system's may hold any bytes.
func pathText(path []byte) string { return strings.ToValidUTF8(string(path), "\uFFFD") }

func (t *Table) add(e *capture.Event) *Conn {
	if len(t.bySocket) >= t.limit {
		t.losses.Add(loss.ConnectionTableFull, 1)
		t.end(t.recent.oldest, Forgotten, Origin{e.Time, e.Task})
	}
	c := &Conn{Socket: e.Socket}
	t.recent.add(c)
	t.bySocket[e.Socket] = c
	return c
}

func (t *Table) end(c *Conn, cause Cause, at Origin) {
	delete(t.bySocket, c.Socket)
	t.recent.remove(c)
	t.endStream(c, Received, cause, at)
	t.endStream(c, Sent, cause, at)
}

func (t *Table) endStream(c *Conn, d Direction, cause Cause, at Origin) {
	if c.streams[d].ended {
		return
	}
	c.streams[d].ended = true
	t.handler.End(c, d, cause, at)
}
