package protocol

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/thin"
)

const (
	// maxTurns is how many turns of a connection may go by unrecognised before it
	// is given up. Turns alternate between the directions. There must be several:
	// a connection older than the agent may start in the middle of a message.
	maxTurns = 8
	// tickEvery is how often parsers hear of the time, in nanoseconds.
	tickEvery = 250e6
)

// Demux finds out which protocol each connection speaks and hands its segments
// to a parser of that protocol. It implements conn.Handler.
type Demux struct {
	registry []Protocol
	sink     Sink
	losses   *loss.Counts
	// Thinner is told of connections that are given up; it may be nil.
	Thinner *thin.Thinner

	// parsed holds the connections that have a parser: Tick must go through them
	// in an order that does not differ from run to run.
	parsed   []*connection
	nextTick int64
	// flows are those that wait for something, in the order in which they began to.
	flows []*flow
}

var _ conn.Handler = (*Demux)(nil)

// connection is what the Demux knows of one connection.
type connection struct {
	conn *conn.Conn
	// parser is nil until a protocol was recognised; index is its place in parsed.
	parser Parser
	index  int
	// givenUp is true once no protocol is looked for any more.
	givenUp bool
	// failed counts the turns that no protocol recognised.
	failed int
	turn   turn
	ended  [2]bool
}

// New makes a Demux that asks the protocols of registry in their order, sends
// what their parsers find to sink, and counts connections nobody recognised.
func New(registry []Protocol, sink Sink, losses *loss.Counts) *Demux {
	return &Demux{
		registry: registry,
		sink:     sink,
		losses:   losses,
	}
}

// Segment implements conn.Handler.
func (d *Demux) Segment(s *conn.Segment) {
	c, _ := s.Conn.State.(*connection)
	if c == nil {
		c = &connection{conn: s.Conn}
		s.Conn.State = c
	}
	switch {
	case c.parser != nil:
		c.parser.Segment(s)
	case !c.givenUp:
		d.classify(c, s)
	}
}

// classify asks the protocols about the turn that s begins or carries on.
func (d *Demux) classify(c *connection, s *conn.Segment) {
	if s.Turn {
		d.fail(c)
		if c.givenUp {
			return
		}
		c.turn.begin()
	}
	if !c.turn.open || s.Size == 0 {
		return
	}
	if !c.turn.follows(s) {
		d.fail(c)
		return
	}
	p, verdict := d.ask(c.turn.with(s))
	switch {
	case verdict == Yes:
		d.hand(c, p, s)
	case verdict == No || !c.turn.keep(s):
		d.fail(c)
	}
}

// ask returns the first protocol that says Yes to prefix. Otherwise the verdict
// is Maybe where at least one protocol says so.
func (d *Demux) ask(prefix []byte) (Protocol, Verdict) {
	best := No
	for _, p := range d.registry {
		v := p.Classify(prefix)
		if v == Yes {
			return p, Yes
		}
		best = max(best, v)
	}
	return nil, best
}

// hand gives c to a parser of p, which gets the turn from its first byte on.
func (d *Demux) hand(c *connection, p Protocol, s *conn.Segment) {
	c.parser = p.NewParser(c.conn, d.sink)
	c.index = len(d.parsed)
	d.parsed = append(d.parsed, c)
	for i := range c.turn.kept {
		c.parser.Segment(&c.turn.kept[i])
	}
	c.turn = turn{}
	c.parser.Segment(s)
}

// fail closes c's turn, if one is open, as one that nobody recognised.
func (d *Demux) fail(c *connection) {
	if !c.turn.open {
		return
	}
	c.turn = turn{}
	c.failed++
	if c.failed >= maxTurns {
		c.givenUp = true
		d.losses.Add(loss.ProtocolUnknown, 1)
		d.Thinner.Unknown(c.conn.Socket)
	}
}

// Stream implements conn.Handler.
func (d *Demux) Stream(cn *conn.Conn, s conn.StreamTask) {
	c, _ := cn.State.(*connection)
	if c == nil {
		return
	}
	p, ok := c.parser.(Multiplexed)
	switch {
	case !ok:
	case s.Taken:
		p.Taken(s.Stream, s.By)
	default:
		p.Asked(s.Stream, s.By)
	}
}

// Connect implements conn.Handler.
func (d *Demux) Connect(c *conn.Conn) { d.sink.Connect(c) }

// Wake implements conn.Handler.
func (d *Demux) Wake(w conn.Wake) { d.sink.Wake(w) }

// End implements conn.Handler.
func (d *Demux) End(cn *conn.Conn, dir conn.Direction, cause conn.Cause, at conn.Origin) {
	if f, ok := cn.State.(*flow); ok {
		f.ends(cause, at)
		return
	}
	c, _ := cn.State.(*connection)
	if c == nil {
		return
	}
	if c.parser != nil {
		c.parser.End(dir, cause, at)
	}
	c.ended[dir] = true
	if c.ended[dir.Opposite()] {
		d.forget(c)
	}
}

// forget drops c. A connection that ends before it was recognised or given up
// is a loss, too.
func (d *Demux) forget(c *connection) {
	c.conn.State = nil
	if c.parser == nil {
		if !c.givenUp {
			d.losses.Add(loss.ProtocolUnknown, 1)
		}
		return
	}
	last := len(d.parsed) - 1
	d.parsed[c.index] = d.parsed[last]
	d.parsed[c.index].index = c.index
	d.parsed[last] = nil
	d.parsed = d.parsed[:last]
}

// Tick implements conn.Handler.
func (d *Demux) Tick(now int64) {
	if now >= d.nextTick {
		d.nextTick = now + tickEvery
		for _, c := range d.parsed {
			c.parser.Tick(now)
		}
		d.flowsTick(now)
	}
	d.sink.Tick(now)
}
