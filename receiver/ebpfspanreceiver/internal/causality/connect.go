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

// connected takes the first exchange on a connection that was opened by an act. Where many share
// the connection, the act was for all of them.
func (p *process) connected(c *call, a *act) {
	if !c.exchange.Multiplexed {
		c.takeConnect(a)
		p.coroutines.took(a, &c.act)
		return
	}
	a.ended()
	if t := p.threads[a.origin.Task.TID]; t != nil && a.deed != nil {
		t.loop.retract(a)
	}
}
