package tracetreeexporter

import (
	"bytes"
	"cmp"
	"slices"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// node is a span in its tree.
type node struct {
	*span
	// children are in the order of their start.
	children []*node
	// method says how the link to the parent was found, or why there is none.
	method string
	// repeated is true where another span of the trace has the same id; children
	// belong to the first of them.
	repeated bool
}

// tree is a trace made of its spans: one root where all is well, more where
// parents are missing.
type tree struct {
	id pcommon.TraceID
	// tops are the nodes without a parent in the trace, in the order of their start.
	tops []*node
	// start and end span all of the trace, in ns since the epoch.
	start, end uint64
	spans      int
	services   int
	// methods counts spans by how their link was found.
	methods map[string]int
}

// newTree links spans by their ids. Every span appears exactly once, whatever the
// ids are: cycles are cut at their earliest span.
func newTree(trace *heldTrace) *tree {
	nodes := newNodes(trace.spans)
	index := indexByID(nodes)
	t := &tree{id: trace.id, spans: len(nodes), methods: map[string]int{}}
	for _, n := range nodes {
		t.place(n, index)
	}
	t.cutCycles(nodes, index)
	slices.SortStableFunc(t.tops, byStart)
	t.measure(nodes)
	return t
}

func newNodes(spans []span) []*node {
	nodes := make([]*node, len(spans))
	for i := range spans {
		nodes[i] = &node{span: &spans[i]}
	}
	slices.SortStableFunc(nodes, byStart)
	return nodes
}

// byStart orders a parent before the child that starts with it (it ends later), and
// is the same for every order of arrival.
func byStart(a, b *node) int {
	return cmp.Or(
		cmp.Compare(a.start, b.start),
		cmp.Compare(b.end, a.end),
		bytes.Compare(a.id[:], b.id[:]),
	)
}

func indexByID(nodes []*node) map[pcommon.SpanID]*node {
	index := make(map[pcommon.SpanID]*node, len(nodes))
	for _, n := range nodes {
		if _, ok := index[n.id]; ok {
			n.repeated = true
			continue
		}
		index[n.id] = n
	}
	return index
}

// place hangs n under its parent, or among the tops where there is none.
func (t *tree) place(n *node, index map[pcommon.SpanID]*node) {
	parent, ok := index[n.parent]
	switch {
	case n.parent.IsEmpty():
		n.method = methodRoot
		t.tops = append(t.tops, n)
	case !ok:
		n.method = methodMissing
		t.tops = append(t.tops, n)
	default:
		n.method = n.span.method
		parent.children = append(parent.children, n)
	}
}

// cutCycles makes a top of one node of every cycle, so that each node can be reached
// from a top by one way.
func (t *tree) cutCycles(nodes []*node, index map[pcommon.SpanID]*node) {
	reached := make(map[*node]bool, len(nodes))
	for _, top := range t.tops {
		reach(top, reached)
	}
	for _, n := range nodes {
		if reached[n] {
			continue
		}
		cut := earliestOfCycle(n, index)
		parent := index[cut.parent]
		parent.children = slices.DeleteFunc(parent.children, func(c *node) bool { return c == cut })
		cut.method = methodCycle
		t.tops = append(t.tops, cut)
		reach(cut, reached)
	}
}

// reach marks all below top, without recursion, because a trace may be as deep as it
// has spans.
func reach(top *node, reached map[*node]bool) {
	pending := []*node{top}
	for len(pending) > 0 {
		n := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		reached[n] = true
		pending = append(pending, n.children...)
	}
}

// earliestOfCycle follows the parents of n, which lead into a cycle, and returns the
// node of that cycle that starts first.
func earliestOfCycle(n *node, index map[pcommon.SpanID]*node) *node {
	seen := map[*node]bool{}
	for ; !seen[n]; n = index[n.parent] {
		seen[n] = true
	}
	earliest := n
	for next := index[n.parent]; next != n; next = index[next.parent] {
		if byStart(next, earliest) < 0 {
			earliest = next
		}
	}
	return earliest
}

func (t *tree) measure(nodes []*node) {
	services := map[string]bool{}
	for i, n := range nodes {
		if i == 0 {
			t.start = n.start
		}
		t.end = max(t.end, n.end)
		t.methods[n.method]++
		services[n.service] = true
	}
	t.services = len(services)
}

// duration is that of the whole trace in ns.
func (t *tree) duration() uint64 { return t.end - t.start }

// topsBy counts the nodes without a parent in the trace by the reason, which is one
// of methodRoot, methodMissing and methodCycle.
func (t *tree) topsBy(method string) int {
	n := 0
	for _, top := range t.tops {
		n += count(top.method == method)
	}
	return n
}
