package tracetreeexporter

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

const (
	minBarWidth = 10
	maxBarWidth = 60
	gap         = "  "
	// wideShare is the part of a line, as its divisor, that status and link may take
	// at most each.
	wideShare = 5
)

// cells measures text as terminals without an East Asian locale draw it, whatever
// the environment says, so that output is the same everywhere.
var cells = &runewidth.Condition{StrictEmojiNeutral: true}

// columns are the widths of a trace's columns in cells. A width of 0 leaves the
// column out.
type columns struct {
	label, duration, bar, status, link int
	// line is the width of all of them with the gaps between.
	line int
}

// newColumns fits rows into width, which is at least minWidth.
func newColumns(rows []row, width int) columns {
	c := columns{line: width}
	for _, r := range rows {
		c.label = max(c.label, labelWidth(r.label))
		c.status = max(c.status, cells.StringWidth(r.status))
		c.link = max(c.link, cells.StringWidth(r.link.text))
		if r.span != nil {
			c.duration = max(c.duration, cells.StringWidth(formatDuration(r.span.duration())))
		}
	}
	c.status = min(c.status, width/wideShare)
	c.link = min(c.link, width/wideShare)
	rest := width - c.duration - c.status - c.link - len(gap)*c.gaps()
	c.label = min(c.label, rest-minBarWidth)
	c.bar = min(rest-c.label, maxBarWidth)
	return c
}

func (c columns) gaps() int {
	return 3 + count(c.status > 0)
}

func labelWidth(label []segment) int {
	width := 0
	for _, s := range label {
		width += cells.StringWidth(s.text)
	}
	return width
}

// fitLabel cuts and pads a label to width cells. A branch gives way first, from its
// left, so that deep spans keep their text.
func fitLabel(label []segment, width int, p painter) string {
	if labelWidth(label) > width {
		return cutLabel(shortenBranch(label, width/2), width, p)
	}
	var b strings.Builder
	for _, s := range label {
		b.WriteString(p.paint(s.style, s.text))
	}
	return b.String() + strings.Repeat(" ", width-labelWidth(label))
}

func shortenBranch(label []segment, width int) []segment {
	branch := label[0]
	if excess := cells.StringWidth(branch.text) - width; excess > 0 {
		branch.text = cells.TruncateLeft(branch.text, excess+1, "…")
	}
	return append([]segment{branch}, label[1:]...)
}

// cutLabel keeps one cell of width for the mark of the cut.
func cutLabel(label []segment, width int, p painter) string {
	if labelWidth(label) <= width {
		return fitLabel(label, width, p)
	}
	var b strings.Builder
	left := width - 1
	for _, s := range label {
		text := cells.Truncate(s.text, left, "")
		b.WriteString(p.paint(s.style, text))
		left -= cells.StringWidth(text)
		if text != s.text {
			break
		}
	}
	return b.String() + "…" + strings.Repeat(" ", left)
}

// fit cuts and pads text to width cells.
func fit(s segment, width int, p painter) string {
	text := cells.Truncate(s.text, width, "…")
	return p.paint(s.style, text) + strings.Repeat(" ", width-cells.StringWidth(text))
}
