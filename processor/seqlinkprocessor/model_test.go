package seqlinkprocessor

import (
	"bytes"
	"math"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// model is the linker as simple as it can be put: it looks at everything that has
// arrived whenever a batch leaves. It knows nothing of stores, windows, retention
// or the chains of SDKs; wanted parents may be given instead.
type model struct {
	arrived []testSpan
	seen    map[testContext]bool // trace and span ids
	names   map[uint64]modelName // published, by incoming trace id
	left    int                  // batches that left
	parents map[uint64]uint64    // wanted parents, where they are not those of the span
}

type modelName struct {
	trace pcommon.TraceID
	seq   int
}

func newModel() *model {
	return &model{seen: map[testContext]bool{}, names: map[uint64]modelName{}, parents: map[uint64]uint64{}}
}

// arrive returns the spans of the batch that are not duplicates.
func (m *model) arrive(batch []testSpan) []testSpan {
	var fresh []testSpan
	for _, s := range batch {
		key := testContext{s.trace, s.id}
		if !m.seen[key] {
			m.seen[key] = true
			fresh = append(fresh, s)
		}
	}
	m.arrived = append(m.arrived, fresh...)
	return fresh
}

// leave says how the spans of a batch leave now.
func (m *model) leave(batch []testSpan) map[uint64]want {
	m.left++
	wanted := map[uint64]want{}
	label := m.components()
	for _, s := range batch {
		if _, ok := m.names[s.trace]; !ok {
			m.names[s.trace] = m.name(label, label[s.trace])
		}
		wanted[s.id] = want{m.names[s.trace].trace, m.shownParent(s)}
	}
	return wanted
}

func (m *model) shownParent(s testSpan) uint64 {
	if p := m.parent(s); p != 0 || s.flags != local || s.parent == s.id {
		return p
	}
	return s.parent
}

// parent returns the id of s's parent if it has arrived.
func (m *model) parent(s testSpan) uint64 {
	p, ok := m.parents[s.id]
	if !ok {
		p = s.parent
	}
	if p == s.id || m.byID(p) == nil {
		return 0
	}
	return p
}

func (m *model) byID(id uint64) *testSpan {
	for i := range m.arrived {
		if id != 0 && m.arrived[i].id == id {
			return &m.arrived[i]
		}
	}
	return nil
}

// components gives all traces that belong together one label, by passing the
// smallest label on until nothing changes.
func (m *model) components() map[uint64]uint64 {
	label := map[uint64]uint64{}
	var edges [][2]uint64
	for _, s := range m.arrived {
		label[s.trace] = s.trace
		if p := m.byID(m.parent(s)); p != nil {
			edges = append(edges, [2]uint64{s.trace, p.trace})
		}
		for _, c := range s.contexts {
			label[c.trace] = c.trace
			edges = append(edges, [2]uint64{s.trace, c.trace})
		}
	}
	for changed := true; changed; {
		changed = false
		for _, e := range edges {
			low := min(label[e[0]], label[e[1]])
			changed = changed || label[e[0]] != low || label[e[1]] != low
			label[e[0]], label[e[1]] = low, low
		}
	}
	return label
}

// name returns the oldest name of the component, or a new one.
func (m *model) name(label map[uint64]uint64, component uint64) modelName {
	oldest := modelName{seq: math.MaxInt}
	for trace, n := range m.names {
		if label[trace] == component && (n.seq < oldest.seq || n.seq == oldest.seq && bytes.Compare(n.trace[:], oldest.trace[:]) < 0) {
			oldest = n
		}
	}
	if oldest.seq < math.MaxInt {
		return oldest
	}
	var members []testSpan
	for _, s := range m.arrived {
		if label[s.trace] == component {
			members = append(members, s)
		}
	}
	return modelName{trace: m.newName(members), seq: m.left}
}

func (m *model) newName(members []testSpan) pcommon.TraceID {
	var app, root, any *testSpan
	for i := range members {
		s := &members[i]
		if (s.sdk || len(s.contexts) > 0) && (app == nil || m.nearer(s, app)) {
			app = s
		}
		if m.parent(*s) == 0 && (root == nil || earlier(s, root)) {
			root = s
		}
		if any == nil || earlier(s, any) {
			any = s
		}
	}
	switch {
	case app != nil && app.sdk:
		return tid(app.trace)
	case app != nil:
		return tid(app.contexts[0].trace)
	case root != nil:
		return derived(root.id)
	}
	return derived(any.id)
}

func earlier(a, b *testSpan) bool { return a.start < b.start || a.start == b.start && a.id < b.id }

func (m *model) nearer(a, b *testSpan) bool {
	da, db := m.depth(a), m.depth(b)
	return da < db || da == db && earlier(a, b)
}

// depth counts the steps to the root; in a ring there are more than spans.
func (m *model) depth(s *testSpan) int {
	steps := 0
	for p := m.byID(m.parent(*s)); p != nil && steps <= len(m.arrived); p = m.byID(m.parent(*p)) {
		steps++
	}
	return steps
}
