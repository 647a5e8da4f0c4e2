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
	p.calls = true
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
// meanwhile: then a pool may have kept the connection, and somebody else uses it first.
func (c *call) takeConnect(a *act) {
	if a.expired() || a.nobodys && c.exchange.Request.First.Time-a.origin.Time > connectFor {
		a.ended()
		if !a.nobodys {
			c.connector = a
		}
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

// ofConnector reports whether the act is of the request that connected, though that was answered before the connection was there:
// another call of its was answered sooner, or it waits for none. Who takes a connection from a pool does so because of something that
// was read in this turn, which leads to no more than it does as a rule.
func (a *act) ofConnector() (r *request, ok bool) {
	if a.call == nil || a.call.connector == nil || a.origin.Task.Waits == 0 || a.thread == nil || a.thread.reacts.late() {
		return nil, false
	}
	c := a.call.connector
	if !c.decided && c.deed != nil && c.thread != nil {
		c.decideLoop()
	}
	if c.parent == nil || c.confidence < sure || !a.beyond() {
		return nil, false
	}
	return c.parent, true
}
