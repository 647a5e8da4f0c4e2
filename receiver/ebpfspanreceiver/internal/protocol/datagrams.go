package protocol

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

const (
	// maxDatagrams is how many datagrams of a UDP socket may go by unrecognised before it is
	// given up.
	maxDatagrams = 8
	// remindEvery is how many more may come before the kernel side, which forgets sockets for
	// lack of room, is told again.
	remindEvery = 64
)

// DatagramProtocol is a Protocol that is spoken in datagrams, too.
type DatagramProtocol interface {
	Protocol
	// ClassifyDatagram reports whether d is a message of the protocol. It must be strict: one
	// that is settles what is spoken on the socket for good.
	ClassifyDatagram(d *conn.Datagram) bool
	// NewFlow makes the parser of one flow. What it finds goes to sink.
	NewFlow(c *conn.Conn, sink Sink) Flow
}

// Flow follows what one UDP socket and one peer say to each other.
type Flow interface {
	Datagram(d *conn.Datagram)
	// End says that nothing more will come. Every exchange must have had its phase Ended then.
	End(cause conn.Cause, at conn.Origin)
	// Tick says that the time is now, in nanoseconds since the Unix epoch.
	Tick(now int64)
	// Idle reports whether the flow waits for nothing: then it may be forgotten.
	Idle() bool
}

// endpoint is what the Demux knows of one UDP socket.
type endpoint struct {
	// protocol is nil until one was recognised.
	protocol DatagramProtocol
	givenUp  bool
	// failed counts the datagrams that no protocol recognised.
	failed int
}

// flow is what the Demux knows of one flow that waits for something.
type flow struct {
	conn   *conn.Conn
	parser Flow
}

// Datagram implements conn.Handler.
func (d *Demux) Datagram(g *conn.Datagram) {
	if f, ok := g.Conn.State.(*flow); ok {
		f.parser.Datagram(g)
		return
	}
	if g.Errno != 0 {
		return
	}
	if p := d.spoken(g); p != nil {
		f := &flow{conn: g.Conn, parser: p.NewFlow(g.Conn, d.sink)}
		g.Conn.State = f
		d.flows = append(d.flows, f)
		f.parser.Datagram(g)
	}
}

// spoken returns the protocol of a datagram's socket, nil where it is not known.
func (d *Demux) spoken(g *conn.Datagram) DatagramProtocol {
	e, _ := g.Conn.Endpoint.State.(*endpoint)
	if e == nil {
		e = &endpoint{}
		g.Conn.Endpoint.State = e
	}
	if e.protocol != nil || d.recognises(e, g) {
		return e.protocol
	}
	e.failed++
	switch {
	case !e.givenUp && e.failed >= maxDatagrams:
		e.givenUp = true
		d.losses.Add(loss.ProtocolUnknown, 1)
		d.Thinner.Unknown(g.Conn.Socket)
	case e.givenUp && e.failed%remindEvery == 0:
		d.Thinner.Unknown(g.Conn.Socket)
	}
	return nil
}

func (d *Demux) recognises(e *endpoint, g *conn.Datagram) bool {
	if e.givenUp {
		return false
	}
	for _, p := range d.registry {
		if p, ok := p.(DatagramProtocol); ok && p.ClassifyDatagram(g) {
			e.protocol = p
			return true
		}
	}
	return false
}

// Closed implements conn.Handler. A socket that ends before it was recognised or given up is
// a loss, too.
func (d *Demux) Closed(p *conn.Endpoint) {
	if e, _ := p.State.(*endpoint); e != nil && e.protocol == nil && !e.givenUp {
		d.losses.Add(loss.ProtocolUnknown, 1)
	}
	p.State = nil
}

// flowsTick passes the time on, and forgets the flows that wait for nothing.
func (d *Demux) flowsTick(now int64) {
	open := d.flows[:0]
	for _, f := range d.flows {
		if f.conn.State != f {
			continue // it has ended
		}
		f.parser.Tick(now)
		if f.parser.Idle() {
			f.conn.State = nil
			continue
		}
		open = append(open, f)
	}
	clear(d.flows[len(open):])
	d.flows = open
}

// ends ends a flow.
func (f *flow) ends(cause conn.Cause, at conn.Origin) {
	f.conn.State = nil
	f.parser.End(cause, at)
}
