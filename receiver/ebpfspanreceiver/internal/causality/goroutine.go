package causality

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
)

const (
	// maxAncestry bounds how far up a goroutine's ancestors are followed.
	maxAncestry = 16
	// maxGeneration bounds one generation of remembered goroutines.
	maxGeneration = 32768
	// maxServed bounds the goroutines that are remembered for what they answered.
	maxServed = 8192
	// heirConfidence is the most that a goroutine is believed to be of a request that its ancestor has answered.
	heirConfidence = 0.99
	// leastDoubt is how probable it is at least that a call is of an answered request where its kind was seen to come
	// without one, before ids tell more.
	leastDoubt = 0.05
	// detached is how probable it is, against one of a request that was answered before it, that a call of the open request
	// ends after its response: who waits for its calls is not answered before them.
	detached = 0.05
)

// goroutines is the rung of runtime identity: a request belongs to the goroutine
// that read it, and a call to the nearest ancestor with an open request. A
// goroutine's id is never reused, so what was learned stays true.
//
// HTTP/1 servers have one goroutine for each connection, which serves one request after
// the other. So a goroutine that it started may be of an earlier request than the one
// that is open: for sure if it was seen before that was read, else aftermath tells how
// probable it is.
type goroutines struct {
	serving map[uint64]*servant
	// known holds goroutines that were seen, in two generations: the older one is dropped
	// when the younger is full.
	known, older map[uint64]lineage
	births       births
	offspring    offspring
}

// servant is a goroutine that reads requests.
type servant struct {
	// open is the request that it serves, nil where there is none.
	open *request
	siblings
	spell spell
}

// lineage is who started a goroutine, and when it was seen first.
type lineage struct {
	parent uint64
	seen   int64
}

func newGoroutines() goroutines {
	return goroutines{serving: make(map[uint64]*servant), known: make(map[uint64]lineage)}
}

func (g *goroutines) learn(by conn.Origin) {
	id := by.Task.Goroutine
	g.births.saw(id)
	if id == 0 || by.Task.ParentGoroutine == 0 {
		return
	}
	if _, ok := g.known[id]; ok {
		return
	}
	if len(g.known) >= maxGeneration {
		g.older, g.known = g.known, make(map[uint64]lineage)
	}
	l, ok := g.older[id]
	if !ok {
		l = lineage{by.Task.ParentGoroutine, by.Time}
	}
	g.known[id] = l
}

func (g *goroutines) lineage(id uint64) (lineage, bool) {
	l, ok := g.known[id]
	if !ok {
		l, ok = g.older[id]
	}
	return l, ok
}

func (g *goroutines) opened(r *request, m *aftermath) {
	id := r.read.Task.Goroutine
	if id == 0 {
		return
	}
	s := g.serving[id]
	if s == nil {
		s = &servant{siblings: siblings{goroutines: g, aftermath: m}}
		g.serving[id] = s
	}
	s.spell.turns(due, r.read.Time, m)
	s.open, r.newest = r, g.births.newest
}

func (g *goroutines) closed(r *request, m *aftermath) {
	s := g.serving[r.read.Task.Goroutine]
	if s == nil || s.open != r {
		return
	}
	s.spell.closes(0, r.exchange.End.Time, m)
	r.newest = g.births.newest
	s.open = nil
	s.closed(r)
}

// descent is how a task comes from a goroutine that serves requests.
type descent struct {
	servant *servant
	// born is when it, or the one of its ancestors that the servant started, was seen first:
	// 0 where it is the servant itself. child is the id of that one.
	born  int64
	child uint64
}

// cause returns the nearest ancestor with an open request, else the nearest that had one.
func (g *goroutines) cause(task capture.Task) (found descent, ok bool) {
	d := descent{}
	for id, n := task.Goroutine, 0; id != 0 && n < maxAncestry; n++ {
		if s := g.serving[id]; s != nil {
			d.servant = s
			if s.open != nil {
				return d, true
			}
			if !ok {
				found, ok = d, true
			}
		}
		l, known := g.lineage(id)
		if !known {
			break
		}
		if d.born == 0 || l.seen < d.born {
			d.born = l.seen
		}
		d.child, id = id, l.parent
	}
	return found, ok
}

// decide settles an act by the request that its goroutine works for, and reports whether
// it could.
func (g *goroutines) decide(a *act, m *aftermath) bool {
	d, ok := g.cause(a.origin.Task)
	if !ok {
		return false
	}
	s, at := d.servant, a.origin.Time
	switch {
	case s.open == nil || at < s.open.read.Time:
		return g.afterwards(&d, a, m)
	case d.born == 0:
		a.settle(s.open, MethodGoroutine, 1)
	case d.born < s.open.read.Time:
		// It was there before, for an earlier request or for any.
		a.after.sibling = s.calls(&d, a)
		return false
	default:
		n := s.calls(&d, a)
		doubt := g.doubt(&d, a, m, n)
		a.after.sibling = n
		if doubt > doubtful {
			a.after.open, a.after.doubt = s.open, doubt
			a.alone()
			return true
		}
		if n != nil {
			n.given = true
		}
		a.settle(s.open, MethodGoroutine, 1-doubt)
	}
	return true
}

// doubt is how probable it is that an act of a new goroutine is not of the request that is open: by the rates at which such
// calls come, or more where the goroutine was started before that was read.
func (g *goroutines) doubt(d *descent, a *act, m *aftermath, n *sibling) float64 {
	doubt := m.doubt(a, &d.servant.spell)
	if n == nil || !m.seenAlone(a) {
		return doubt
	}
	least := max(doubt, leastDoubt)
	before, during := least*n.born(), (1-least)*g.births.during(d.child, d.servant.open.newest)
	return max(doubt, before/(before+during))
}

// detaches weighs anew, for a goroutine's call that may be of an answered request, that it ended after the response of the open one.
func (c *call) detaches() {
	if c.after.sibling == nil || c.parent == nil || c.method != MethodGoroutine || !c.parent.answeredBefore(c) {
		return
	}
	doubt := 1 - c.confidence
	doubt /= doubt + (1-doubt)*detached
	if doubt > doubtful {
		c.alone()
		return
	}
	c.confidence = 1 - doubt
}

// afterwards takes an act while the servant has nothing open.
func (g *goroutines) afterwards(d *descent, a *act, m *aftermath) bool {
	if d.servant.latest() == nil {
		return false
	}
	if d.born == 0 {
		a.follows(d.servant.latest(), 1)
		a.alone()
		return true
	}
	m.began(a, &d.servant.spell)
	a.after.sibling = d.servant.calls(d, a)
	if d.born < a.origin.Time {
		return false // it may have been given something else to do meanwhile
	}
	a.alone()
	return true
}

// tidy forgets what was answered long ago.
func (g *goroutines) tidy(now int64) {
	full := len(g.serving) > maxServed
	for id, s := range g.serving {
		if s.open == nil && (full || now-s.spell.answered > afterFor) {
			delete(g.serving, id)
		}
	}
}
