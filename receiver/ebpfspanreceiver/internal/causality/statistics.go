package causality

import (
	"slices"
	"time"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/causality/statistical"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// statisticsCPU bounds the time of processors that the statistics of one process
// may take, in cores.
const statisticsCPU = 0.05

// statistics is the rung of learned order and delays: it takes the facts of one
// process, and decides the calls that no other rung did. A nil one does nothing.
type statistics struct {
	process    *statistical.Process
	losses     *loss.Counts
	operations *operations
	// calls is true once the process has called anybody: a server that never does needs no
	// statistics. Until then early are its open requests.
	calls bool
	early []*request
}

// UseStatistics switches the statistical rung on, for processes that are found
// from now on.
func (l *Ladder) UseStatistics() { l.useStatistics = true }

func (l *Ladder) newStatistics() *statistics {
	if !l.useStatistics {
		return nil
	}
	return &statistics{losses: l.losses, operations: l.operations, process: statistical.NewProcess(statistical.NewModel(), statistical.Options{
		MaxWait: time.Duration(l.maxWait),
		MaxCPU:  statisticsCPU,
	})}
}

func (s *statistics) opened(r *request) {
	switch {
	case s == nil:
	case s.calls:
		s.open(r)
	default:
		s.early = append(s.early, r)
	}
}

func (s *statistics) open(r *request) {
	r.facts = s.process.Opened(s.operations.operation(r.exchange), r.read.Time)
	r.facts.Owner = r
}

// began takes the begin of a call.
func (s *statistics) began() {
	if s == nil || s.calls {
		return
	}
	s.calls = true
	for _, r := range s.early {
		s.open(r)
	}
	s.early = nil
}

func (s *statistics) closed(r *request, at int64) {
	switch {
	case s == nil:
	case r.facts != nil:
		s.process.Closed(r.facts, at)
	default:
		if i := slices.Index(s.early, r); i >= 0 {
			s.early = slices.Delete(s.early, i, i+1)
		}
	}
}

// ended takes a call that has ended, and reports whether the rung may find its
// parent. Where requests are left out that may have caused it, it does not look, and where
// an event loop's turns, or who writes, tell more than order and delays do.
func (s *statistics) ended(c *call) bool {
	if by := c.origin.Task; s == nil || by.Hidden > 0 || by.Thinned {
		return false
	}
	if c.deed != nil || c.writers != nil {
		return false
	}
	if c.handoff != nil && c.exchange.Datagram != 0 {
		// The lookups of a pool's threads are all alike, and there are two for each name.
		return false
	}
	c.facts = s.process.Call(s.operations.callee(c.exchange), c.exchange.Request.First.Time)
	c.facts.Owner = c
	s.decided(c)
	possible := s.process.Possible(c.facts, c.endedAt)
	s.process.Ended(c.facts, c.endedAt)
	return possible && !c.nobodys && !c.after.known()
}

// decided tells the rung what a stronger one found.
func (s *statistics) decided(c *call) {
	if s != nil && c.facts != nil && c.decided && c.parent != nil && c.parent.facts != nil && c.confidence >= sure {
		s.process.Exact(c.facts, c.parent.facts)
	}
}

// decide gives the calls whose time has come their statistical decisions.
func (s *statistics) decide(now int64) {
	if s != nil {
		s.take(s.process.Decide(now))
	}
}

// flush gives all calls that have ended their decisions.
func (s *statistics) flush() {
	if s != nil {
		s.take(s.process.Flush())
	}
}

func (s *statistics) take(decisions []statistical.Decision) {
	for i := range decisions {
		switch decisions[i].GivenUp {
		case statistical.Crowded:
			s.losses.Add(loss.CausalityCrowded, 1)
		case statistical.Overloaded:
			s.losses.Add(loss.CausalityOverloaded, 1)
		}
		decisions[i].Call.Owner.(*call).guess = &decisions[i]
	}
}

// guessed settles a call that no other rung decided for sure by the statistics,
// where those are surer.
func (c *call) guessed() {
	g := c.guess
	if g == nil || !c.asked || g.Parent == nil || c.parent != nil && c.confidence >= min(g.Confidence, sure) {
		return
	}
	parent, confidence := g.Parent.Owner.(*request), g.Confidence
	if c.handoff != nil {
		if c.handoff.refuses(c, parent) {
			return
		}
		confidence = c.handoff.limit(c, confidence)
	}
	c.settle(parent, MethodStatistical, confidence)
	if g.RunnerUp != nil {
		c.runnerUp, c.runnerUpConfidence = g.RunnerUp.Owner.(*request), g.RunnerUpConfidence
	}
}
