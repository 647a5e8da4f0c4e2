package causality

import (
	"time"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/causality/statistical"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// statisticsCPU bounds the time of processors that the statistics of one process
// may take, in cores.
const statisticsCPU = 0.05

// statistics is the rung of learned order and delays: it takes the facts of one
// process, and decides the calls that no other rung did. A nil one does nothing.
type statistics struct {
	process *statistical.Process
}

// UseStatistics switches the statistical rung on, for processes that are found
// from now on.
func (l *Ladder) UseStatistics() { l.useStatistics = true }

func (l *Ladder) newStatistics() *statistics {
	if !l.useStatistics {
		return nil
	}
	return &statistics{process: statistical.NewProcess(statistical.NewModel(), statistical.Options{
		MaxWait: time.Duration(l.maxWait),
		MaxCPU:  statisticsCPU,
	})}
}

func (s *statistics) opened(r *request) {
	if s == nil {
		return
	}
	r.facts = s.process.Opened(r.exchange.Name, r.read.Time)
	r.facts.Owner = r
}

func (s *statistics) closed(r *request, at int64) {
	if s != nil && r.facts != nil {
		s.process.Closed(r.facts, at)
	}
}

// began takes a call. Where requests are left out that may have caused it, it is not looked at.
func (s *statistics) began(c *call) {
	if by := c.origin.Task; s == nil || by.Hidden > 0 || by.Thinned {
		return
	}
	c.facts = s.process.Call(callee(c.exchange), c.exchange.Request.First.Time)
	c.facts.Owner = c
}

// callee names what is called: the peer, and what is asked of it.
func callee(e *protocol.Exchange) string {
	if e.Conn == nil {
		return e.Name
	}
	if e.Conn.Unix {
		return e.Conn.RemotePath + " " + e.Name
	}
	return e.Conn.Remote.String() + " " + e.Name
}

// ended takes the end of a call, and reports whether the rung may find its parent.
func (s *statistics) ended(c *call) bool {
	if s == nil || c.facts == nil {
		return false
	}
	s.decided(c)
	possible := s.process.Possible(c.facts, c.endedAt)
	s.process.Ended(c.facts, c.endedAt)
	return possible
}

// decided tells the rung what a stronger one found.
func (s *statistics) decided(c *call) {
	if s != nil && c.facts != nil && c.decided && c.parent != nil && c.parent.facts != nil {
		s.process.Exact(c.facts, c.parent.facts)
	}
}

// decide gives the calls whose time has come their statistical decisions.
func (s *statistics) decide(now int64) {
	if s != nil {
		take(s.process.Decide(now))
	}
}

// flush gives all calls that have ended their decisions.
func (s *statistics) flush() {
	if s != nil {
		take(s.process.Flush())
	}
}

func take(decisions []statistical.Decision) {
	for i := range decisions {
		decisions[i].Call.Owner.(*call).guess = &decisions[i]
	}
}

// guessed settles a call that no other rung decided for sure by the statistics,
// where those are surer.
func (c *call) guessed() {
	g := c.guess
	if g == nil || g.Parent == nil || c.parent != nil && c.confidence >= g.Confidence {
		return
	}
	c.settle(g.Parent.Owner.(*request), MethodStatistical, g.Confidence)
	if g.RunnerUp != nil {
		c.runnerUp, c.runnerUpConfidence = g.RunnerUp.Owner.(*request), g.RunnerUpConfidence
	}
}
