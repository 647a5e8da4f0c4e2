package tracetreeexporter

import (
	"fmt"
)

const (
	branch     = "├─ "
	lastBranch = "└─ "
	trunk      = "│  "
	noTrunk    = "   "
)

// segment is a piece of text in one style.
type segment struct {
	text  string
	style style
}

// row is one line of a tree before it is fitted into columns.
type row struct {
	// label begins with the branch, which may be empty.
	label []segment
	// span is nil for a line that stands for spans left out.
	span   *span
	status string
	link   segment
}

// limits bound what is printed of one trace.
type limits struct {
	// spans is the number of lines for spans; 0 means no limit.
	spans int
	// depth is the number of levels.
	depth int
}

// rowMaker lists a tree's lines depth first.
type rowMaker struct {
	limits limits
	rows   []row
	// printed and announced count the spans that have a line and those that a line
	// about deeper ones stands for.
	printed, announced int
}

// step is a node that waits for its line. A nil node stands for below spans that are
// too deep.
type step struct {
	*node
	depth int
	// prefix is what is drawn before the branch of this node; children's begin with it.
	prefix string
	last   bool
	below  int
}

// newRows returns the lines of t within the limits; what is left out is said in a
// line of its own.
func newRows(t *tree, l limits) []row {
	m := rowMaker{limits: l}
	pending := pushNodes(nil, t.tops, 1, "")
	for len(pending) > 0 && !m.full() {
		next := pending[len(pending)-1]
		pending = m.add(next, pending[:len(pending)-1])
	}
	if rest := t.spans - m.printed - m.announced; rest > 0 {
		m.rows = append(m.rows, row{label: []segment{{}, {"… " + plural(rest, "more span"), faint}}})
	}
	return m.rows
}

func (m *rowMaker) full() bool {
	return m.limits.spans > 0 && m.printed >= m.limits.spans
}

// add appends the line of s and returns pending with its children on top.
func (m *rowMaker) add(s step, pending []step) []step {
	if s.node == nil {
		m.announced += s.below
		m.rows = append(m.rows, row{label: []segment{{s.branch(), faint}, {"… " + plural(s.below, "deeper span"), faint}}})
		return pending
	}
	m.printed++
	m.rows = append(m.rows, newRow(s))
	if s.depth < m.limits.depth {
		return pushNodes(pending, s.children, s.depth+1, s.childPrefix())
	}
	if below := countBelow(s.node); below > 0 {
		pending = append(pending, step{depth: s.depth + 1, prefix: s.childPrefix(), last: true, below: below})
	}
	return pending
}

// pushNodes puts nodes onto the stack so that the first one comes off first.
func pushNodes(pending []step, nodes []*node, depth int, prefix string) []step {
	for i := len(nodes) - 1; i >= 0; i-- {
		pending = append(pending, step{node: nodes[i], depth: depth, prefix: prefix, last: i == len(nodes)-1})
	}
	return pending
}

// branch is what is drawn before a line's text. Tops have none.
func (s step) branch() string {
	switch {
	case s.depth == 1:
		return ""
	case s.last:
		return s.prefix + lastBranch
	default:
		return s.prefix + branch
	}
}

func (s step) childPrefix() string {
	switch {
	case s.depth == 1:
		return ""
	case s.last:
		return s.prefix + noTrunk
	default:
		return s.prefix + trunk
	}
}

func countBelow(n *node) int {
	below := map[*node]bool{}
	reach(n, below)
	return len(below) - 1
}

func newRow(s step) row {
	label := []segment{
		{s.branch(), faint},
		{s.service, serviceStyle(s.service)},
		{" " + s.operation, plain},
	}
	if s.code != "" {
		label = append(label, segment{" " + s.code, codeStyle(s.span)})
	}
	return row{label: label, span: s.span, status: statusOf(s.span), link: linkText(s.node)}
}

func codeStyle(s *span) style {
	if s.failed {
		return red
	}
	return faint
}

// statusOf is empty for spans that did not fail.
func statusOf(s *span) string {
	switch {
	case !s.failed:
		return ""
	case s.errorType == "":
		return "ERROR"
	default:
		return "ERROR " + s.errorType
	}
}

func linkText(n *node) segment {
	link := segment{n.method, faint}
	switch {
	case n.method == methodMissing:
		link = segment{"parent missing", yellow}
	case n.method == methodCycle:
		link = segment{"parent is below", yellow}
	case n.confidence >= 0 && n.method != methodRoot:
		link.text = fmt.Sprintf("%s %.2f", n.method, n.confidence)
	}
	if n.repeated {
		link = segment{link.text + ", id repeated", yellow}
	}
	return link
}
