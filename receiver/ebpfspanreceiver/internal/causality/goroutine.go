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
	// heirConfidence is that in a goroutine being of the request that its ancestor answered
	// last, and not of one before.
	heirConfidence = 0.99
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
}

// servant is a goroutine that reads requests.
type servant struct {
	// open is the request that it serves, last the one that it answered before, and earlier
	// the one before that; nil where there is none.
	open, last, earlier *request
	spell               spell
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
		s = &servant{}
		g.serving[id] = s
	}
	s.spell.turns(due, r.read.Time, m)
	s.open = r
}

func (g *goroutines) closed(r *request, m *aftermath) {
	s := g.serving[r.read.Task.Goroutine]
	if s == nil || s.open != r {
		return
	}
	s.spell.closes(0, r.exchange.End.Time, m)
	s.open, s.last, s.earlier = nil, r, s.last
}

// descent is how a task comes from a goroutine that serves requests.
type descent struct {
	servant *servant
	// born is when it, or the one of its ancestors that the servant started, was seen first:
	// 0 where it is the servant itself.
	born int64
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
		id = l.parent
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
		return d.afterwards(a, m)
	case d.born == 0:
		a.settle(s.open, MethodGoroutine, 1)
	case d.born < s.open.read.Time:
		// It was there before, for an earlier request or for any.
		d.follows(a, m, 1)
		return false
	default:
		doubt := m.doubt(a, &s.spell)
		if doubt > doubtful {
			d.follows(a, m, doubt)
			a.alone()
			return true
		}
		d.follows(a, m, 1)
		a.settle(s.open, MethodGoroutine, 1-doubt)
	}
	return true
}

// follows notes that the act is of one of the last two requests that were answered, with
// a part of the confidence.
func (d *descent) follows(a *act, m *aftermath, part float64) {
	last, earlier := d.servant.last, d.servant.earlier
	if last == nil {
		return
	}
	p := 1.0
	if earlier != nil && d.born >= earlier.read.Time {
		p = m.of(a, last.exchange.End.Time, earlier.exchange.End.Time)
	}
	if d.born < last.read.Time {
		p = 0
	}
	if p < 0.5 {
		last, p = earlier, 1-p
	}
	if last != nil && d.born >= last.read.Time {
		a.follows(last, part*p*heirConfidence)
	}
}

// afterwards takes an act while the servant has nothing open.
func (d *descent) afterwards(a *act, m *aftermath) bool {
	if d.servant.last == nil {
		return false
	}
	if d.born == 0 {
		a.follows(d.servant.last, 1)
		a.alone()
		return true
	}
	m.began(a, &d.servant.spell)
	d.follows(a, m, 1)
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
