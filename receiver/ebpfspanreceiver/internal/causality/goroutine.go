package causality

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
)

const (
	// maxAncestry bounds how far up a goroutine's ancestors are followed.
	maxAncestry = 16
	// maxGeneration bounds one generation of remembered goroutines.
	maxGeneration = 32768
)

// goroutines is the rung of runtime identity: a request belongs to the goroutine
// that read it, and a call to the nearest ancestor with an open request. A
// goroutine's id is never reused, so what was learned stays true.
type goroutines struct {
	serving map[uint64]*request
	// parents maps goroutines to who started them, in two generations: the older
	// one is dropped when the younger is full.
	parents, older map[uint64]uint64
}

func newGoroutines() goroutines {
	return goroutines{serving: make(map[uint64]*request), parents: make(map[uint64]uint64)}
}

func (g *goroutines) learn(task capture.Task) {
	if task.Goroutine == 0 || task.ParentGoroutine == 0 {
		return
	}
	if len(g.parents) >= maxGeneration {
		g.older, g.parents = g.parents, make(map[uint64]uint64)
	}
	g.parents[task.Goroutine] = task.ParentGoroutine
}

func (g *goroutines) opened(r *request) {
	if id := r.read.Task.Goroutine; id != 0 {
		g.serving[id] = r
	}
}

func (g *goroutines) closed(r *request) {
	if id := r.read.Task.Goroutine; g.serving[id] == r {
		delete(g.serving, id)
	}
}

// cause returns the open request that task works for, nil where there is none.
func (g *goroutines) cause(task capture.Task) *request {
	id := task.Goroutine
	for range maxAncestry {
		if id == 0 {
			return nil
		}
		if r := g.serving[id]; r != nil {
			return r
		}
		id = g.parent(id)
	}
	return nil
}

func (g *goroutines) parent(id uint64) uint64 {
	if parent, ok := g.parents[id]; ok {
		return parent
	}
	return g.older[id]
}
