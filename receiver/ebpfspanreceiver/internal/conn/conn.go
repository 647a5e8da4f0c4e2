// Package conn turns the events of single system calls into byte streams, which
// connection, which direction, which place in it, and into flows of datagrams.
package conn

import (
	"net/netip"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
)

// Direction tells the two byte streams of a connection apart, as this end sees them.
type Direction uint8

// The two directions.
const (
	Sent Direction = iota
	Received
)

// Opposite returns the other direction.
func (d Direction) Opposite() Direction { return 1 - d }

// Origin is when something began and who did it.
type Origin struct {
	// Time is in nanoseconds since the Unix epoch.
	Time int64
	Task capture.Task
}

// Wake says that one task of a process made another one ready to run: whatever that one
// does next may be the waker's deed.
type Wake struct {
	Waker Origin
	// Woken has a goroutine and no thread, or a thread and no goroutine.
	Woken capture.Task
	// Futex is the address of the futex by which a thread was woken, 0 where it was
	// something else.
	Futex uint64
}

// StreamTask says who deals with a stream of an HTTP/2 connection that another task reads
// or writes.
type StreamTask struct {
	// Stream is the stream's id.
	Stream uint32
	// Taken says that it was read, and By begins to work on it; else By asks for it, and
	// it will be written.
	Taken bool
	By    Origin
}

// Conn is one end of a connection, TCP's or of Unix stream sockets, or of a flow of datagrams. Both ends of
// a connection inside one host are two Conns.
type Conn struct {
	// Socket is the socket's inode number.
	Socket uint64
	// PID is the process that used the connection last.
	PID uint32
	// Endpoint is the flow's UDP socket, nil for connections. Of a flow Local may be a
	// wildcard, and Remote be unspecified.
	Endpoint *Endpoint
	// Identity names the connection at both ends; zero while it is not known, and for flows.
	Identity capture.Identity
	// Local and Remote are this end's and the peer's address, as seen here.
	Local, Remote netip.AddrPort
	// Unix is true for Unix sockets, which have no addresses but a path: RemotePath where
	// this end connected to it, LocalPath where it was accepted at it. An abstract name
	// (unix(7)) begins with an @; there may be none.
	Unix                  bool
	LocalPath, RemotePath string
	// Connected is who called connect on this socket, nil where nobody was seen to.
	// The first request takes it.
	Connected *Origin
	// Asked is who asked for the next request on this connection where another
	// task writes it (Go's net/http client), nil otherwise. The next request takes it.
	Asked *Origin
	// Shared says that requests are written on it while others are unanswered, by whoever has
	// one: nobody waits for it or gives it back. The protocol finds out.
	Shared bool
	// State is the handler's own: what it knows of the connection, nil at first.
	State any

	streams [2]stream
	// turned is true once a segment was seen; direction is then that of the last one.
	turned    bool
	direction Direction
	// use is the connection's place in the table's order of recent use, used when that
	// was: it is set for flows.
	use  neighbours
	used int64
}

// First returns the first sequence number of direction d.
func (c *Conn) First(d Direction) uint32 {
	if d == Sent {
		return c.Identity.FirstSent
	}
	return c.Identity.FirstReceived
}

// Segment is a run of bytes in one direction of a connection, as one system call
// moved it. Segments of one direction come in the order of their offsets; where
// bytes were not seen there is a gap between them, and they never overlap.
type Segment struct {
	Conn      *Conn
	Direction Direction
	// Turn is true for the first segment after the direction changed (or the first
	// of all): the place where a message is likely to begin.
	Turn bool
	// Offset is the place of the first byte in its direction.
	Offset uint64
	// Size is the number of bytes moved. It may exceed len(Data).
	Size uint64
	// Data holds the segment's first bytes as far as they were captured. It is
	// valid only during the call that delivers it.
	Data []byte
	// Tail holds the last min(8, Size) bytes where they were captured; else empty.
	Tail []byte
	// Skipped says that the bytes between the segment before and this one were left
	// out on purpose: whole requests and their responses.
	Skipped bool
	// Frames says that Data begins with the header of a frame of HTTP/2, by the kernel side's account.
	Frames bool
	// Origin is the entry of the send or the exit of the receive, and who called it.
	Origin Origin
}

// End returns the offset after the last byte.
func (s *Segment) End() uint64 { return s.Offset + s.Size }

// Cause says why a direction of a connection ended.
type Cause uint8

// The causes.
const (
	// EOF: the peer ended its stream in good order (direction Received), or this
	// end did (direction Sent).
	EOF Cause = iota + 1
	// Reset: the connection was reset or timed out.
	Reset
	// Closed: this end closed the socket.
	Closed
	// Exited: the process that held the socket ended.
	Exited
	// Forgotten: the agent itself stopped watching, for lack of room or because
	// it shuts down.
	Forgotten
)

// Handler takes what the conn stage makes of events. Calls come in order, from
// one goroutine.
type Handler interface {
	// Connect says that somebody called connect on c: c.Connected is set.
	Connect(c *Conn)
	// Segment delivers bytes.
	Segment(s *Segment)
	// Datagram delivers a datagram.
	Datagram(d *Datagram)
	// Closed says that nothing more is known of a UDP socket: its flows have ended.
	Closed(p *Endpoint)
	// Stream says who deals with a stream of c. It comes in its place among the segments.
	Stream(c *Conn, s StreamTask)
	// Wake delivers a wake-up. It comes in its place among the segments.
	Wake(w Wake)
	// End says that nothing more will come in direction d of c. Where a whole
	// connection ends it is called for Received first, then for Sent, and c is not
	// mentioned again.
	End(c *Conn, d Direction, cause Cause, at Origin)
	// Tick says that the time is now (nanoseconds since the Unix epoch), so that
	// what waits for a pause can be finished.
	Tick(now int64)
}
