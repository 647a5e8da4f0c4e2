package dns

import (
	"slices"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

const (
	// timeout is how long after it was sent last a query is taken for one that will not be
	// answered, in nanoseconds. Resolvers ask again after 5 s at most (resolv.conf(5)).
	timeout = int64(10e9)
	// patience is how long resolvers wait for an answer at least. Who closes the socket before
	// does not want it any more.
	patience = int64(1e9)
)

// The values of error.type for queries that are not answered.
const (
	errorTimeout = "timeout"
	errorRefused = "connection_refused"
	errorSocket  = "socket_error"
)

// errnoRefused is ECONNREFUSED of include/uapi/asm-generic/errno.h: nobody has the port that
// was asked.
const errnoRefused = 111

// flow follows the queries and answers between one socket and one peer, over UDP. Either end may
// ask.
type flow struct {
	session
}

// Datagram implements protocol.Flow.
func (f *flow) Datagram(d *conn.Datagram) {
	if d.Errno != 0 {
		f.failed(d)
		return
	}
	m, p := read(d.Data)
	switch {
	case p == short && uint64(len(d.Data)) < d.Size:
		f.lose(loss.HeadTooLong)
	case p != whole:
		f.lose(loss.MalformedMessage)
	case m.Response:
		f.answered(&m, d)
	default:
		f.asked(&m, d)
	}
}

// asked takes a query. The same one again is no other one: as the first may have been lost on its
// way, nobody can tell which of them the server received.
func (f *flow) asked(m *message, d *conn.Datagram) {
	side, port := protocol.Client, f.conn.Local.Port()
	if d.Direction == conn.Received {
		side, port = protocol.Server, f.conn.Remote.Port()
	}
	key := keyOf(d.Data, d.Size, port)
	for _, e := range f.open {
		if e.Side == side && e.key == key {
			e.resends++
			e.Request.Last = protocol.NotBefore(d.Origin, e.Request.Last.Time)
			return
		}
	}
	e := &exchange{key: key}
	e.Side, e.Datagram = side, key
	if f.protocol.recent[side].use(key, d.Origin.Time) {
		e.Datagram = unmatched(key, side, d.Origin.Time)
	}
	e.Request.Size = int64(d.Size)
	if f.begin(m, e, d.Origin) != nil {
		f.read(e, d.Origin)
	}
}

// answered takes an answer. One that nobody waits for is the second to a query that was sent
// twice, comes too late, or answers what was not seen.
func (f *flow) answered(m *message, d *conn.Datagram) {
	side := protocol.Client
	if d.Direction == conn.Sent {
		side = protocol.Server
	}
	e := f.find(side, m)
	if e == nil {
		return
	}
	f.respond(e, d.Origin)
	e.Response.Complete, e.Response.Size = true, int64(d.Size)
	e.describe(m, d.Data)
	f.finish(e, e.Response.Last)
}

// failed takes an error of the socket's: what its process asked will not be answered. Where
// it is an answer that could not be sent, that is like one that is lost on its way.
func (f *flow) failed(d *conn.Datagram) {
	why, message := errorSocket, "the query could not be delivered"
	if d.Errno == errnoRefused {
		why, message = errorRefused, "nobody takes queries there"
	}
	for _, e := range slices.Clone(f.open) {
		if e.Side == protocol.Client {
			f.fail(e, why, message, d.Origin)
		}
	}
}

// Tick implements protocol.Flow.
func (f *flow) Tick(now int64) {
	for len(f.open) > 0 {
		e := f.open[0]
		for _, o := range f.open {
			if o.Request.Last.Time < e.Request.Last.Time {
				e = o
			}
		}
		end := e.Request.Last
		if now-end.Time < timeout {
			return
		}
		end.Time += timeout
		f.fail(e, errorTimeout, "no answer came in time", end)
	}
}

// Idle implements protocol.Flow.
func (f *flow) Idle() bool { return len(f.open) == 0 }

// End implements protocol.Flow. Who gives up waiting closes the socket.
func (f *flow) End(cause conn.Cause, at conn.Origin) {
	for _, e := range slices.Clone(f.open) {
		if cause == conn.Closed && e.Side == protocol.Client && at.Time-e.Request.First.Time >= patience {
			f.fail(e, errorTimeout, "no answer came before the socket was closed", at)
			continue
		}
		e.BreakOff(cause, false, false)
		f.finish(e, at)
	}
}
