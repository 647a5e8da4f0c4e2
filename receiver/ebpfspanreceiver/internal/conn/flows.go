package conn

import (
	"net/netip"
	"time"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

const (
	// maxFlows bounds the flows of all UDP sockets; past it the one that was idle longest is
	// forgotten. A server has one for each socket of each of its clients.
	maxFlows = 65536
	// idleFlow is how long a flow is remembered without a datagram, in nanoseconds. Handlers
	// do not wait so long for an answer.
	idleFlow = int64(time.Minute)
)

// flows follows who talks to whom over UDP.
type flows struct {
	handler Handler
	losses  *loss.Counts
	limit   int

	endpoints map[uint64]*Endpoint
	recent    recency
	count     int
	datagram  Datagram
}

func newFlows(handler Handler, losses *loss.Counts) flows {
	return flows{handler: handler, losses: losses, limit: maxFlows, endpoints: make(map[uint64]*Endpoint)}
}

// moved delivers a datagram.
func (f *flows) moved(e *capture.Event, d Direction) {
	c := f.flow(e)
	f.datagram = Datagram{
		Conn: c, Direction: d, Size: uint64(e.Size), Data: e.Data, Errno: e.Errno,
		Origin: Origin{e.Time, e.Task},
	}
	f.handler.Datagram(&f.datagram)
}

// flow returns the event's flow, made where it is new.
func (f *flows) flow(e *capture.Event) *Conn {
	p := f.endpoints[e.Socket]
	if p == nil {
		p = &Endpoint{Socket: e.Socket, flows: make(map[netip.AddrPort]*Conn)}
		f.endpoints[e.Socket] = p
	}
	c := p.flow(e.Remote)
	if c == nil {
		c = f.add(p, e)
	}
	f.recent.touch(c)
	c.PID, c.Local, c.used = e.Task.PID, e.Local, e.Time
	return c
}

// flow returns the flow with a peer, nil where there is none. Where the process did not ask who
// had sent the datagram it is that with the only peer.
func (p *Endpoint) flow(peer netip.AddrPort) *Conn {
	if c := p.flows[peer]; c != nil {
		return c
	}
	if peer.Port() == 0 && len(p.flows) == 1 {
		for _, c := range p.flows {
			return c
		}
	}
	return nil
}

func (f *flows) add(p *Endpoint, e *capture.Event) *Conn {
	if f.count >= f.limit {
		f.evict(Origin{e.Time, e.Task})
	}
	// No flow is asked for by one task after the other, as connections of a pool are.
	c := &Conn{Socket: e.Socket, Endpoint: p, Remote: e.Remote, Shared: true}
	p.flows[e.Remote] = c
	f.endpoints[p.Socket] = p // its last flow may have been evicted
	f.recent.add(c)
	f.count++
	return c
}

// evict forgets the flow that was idle longest. If the handler still has to do with it, that
// is a loss.
func (f *flows) evict(at Origin) {
	c := f.recent.oldest
	if c.State != nil {
		f.losses.Add(loss.ConnectionTableFull, 1)
	}
	f.end(c, Forgotten, at)
}

func (f *flows) end(c *Conn, cause Cause, at Origin) {
	f.recent.remove(c)
	f.count--
	delete(c.Endpoint.flows, c.Remote)
	f.handler.End(c, Received, cause, at)
	f.handler.End(c, Sent, cause, at)
	if len(c.Endpoint.flows) == 0 {
		delete(f.endpoints, c.Endpoint.Socket)
		f.handler.Closed(c.Endpoint)
	}
}

// closed ends the flows of a socket, the longest idle first.
func (f *flows) closed(socket uint64, cause Cause, at Origin) {
	p := f.endpoints[socket]
	if p == nil {
		return
	}
	if len(p.flows) == 1 {
		for _, c := range p.flows {
			f.end(c, cause, at)
		}
		return
	}
	f.endAll(func(c *Conn) bool { return c.Endpoint == p }, cause, at)
}

// exited ends the flows of a process.
func (f *flows) exited(pid uint32, at Origin) {
	f.endAll(func(c *Conn) bool { return c.PID == pid }, Exited, at)
}

func (f *flows) endAll(which func(*Conn) bool, cause Cause, at Origin) {
	for c := f.recent.oldest; c != nil; {
		next := c.use.later
		if which(c) {
			f.end(c, cause, at)
		}
		c = next
	}
}

// tick forgets the flows that were idle for long.
func (f *flows) tick(now int64) {
	for c := f.recent.oldest; c != nil && now-c.used > idleFlow; c = f.recent.oldest {
		f.end(c, Forgotten, Origin{Time: now})
	}
}

// flush forgets every flow.
func (f *flows) flush(now int64) {
	f.endAll(func(*Conn) bool { return true }, Forgotten, Origin{Time: now})
}
