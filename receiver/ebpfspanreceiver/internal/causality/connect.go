package causality

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// Connect implements protocol.Sink: the connection's first request will be the
// deed of who connects now.
func (l *Ladder) Connect(c *conn.Conn) {
	a := &act{origin: *c.Connected, to: remote(c)}
	a.to.connects = true
	p := l.process(a.origin.Task.PID)
	p.learn(a.origin)
	p.decide(a)
	if a.decided && a.parent == nil && !a.nobodys {
		return
	}
	if len(l.connects) >= maxConnects {
		l.losses.Add(loss.ExchangeTableFull, 1)
		return
	}
	l.connects[c.Connected] = a
}

// takeConnect makes the connect the call's deed, unless who connected was answered
// meanwhile: then a pool kept the connection, and somebody else uses it first.
func (c *call) takeConnect(a *act) {
	if a.expired() || a.nobodys && c.exchange.Request.First.Time-a.origin.Time > connectFor {
		a.ended()
		return
	}
	c.act = *a
	if c.deed != nil {
		c.deed.act = &c.act
	}
	if s := c.stimulus; s != nil && s.act == a {
		s.act = &c.act
	}
	if c.method == MethodThread {
		c.method = MethodConnect
	}
}
