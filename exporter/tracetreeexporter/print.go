package tracetreeexporter

import (
	"bytes"
	"encoding/hex"
	"strings"
	"time"
)

// startFormat is RFC 3339 with milliseconds.
const startFormat = "2006-01-02T15:04:05.000Z07:00"

// printTree draws t in lines of at most width cells, with an empty line after it.
func printTree(t *tree, l limits, width int, p painter) []byte {
	rows := newRows(t, l)
	width = max(width, minWidth)
	c := newColumns(rows, width)
	var b bytes.Buffer
	b.WriteString(header(t, p) + "\n")
	for _, r := range rows {
		b.WriteString(strings.TrimRight(c.draw(r, t, p), " ") + "\n")
	}
	b.WriteString("\n")
	return b.Bytes()
}

func header(t *tree, p painter) string {
	parts := []string{
		p.paint(bold, "trace "+hex.EncodeToString(t.id[:])),
		plural(t.spans, "span"),
		plural(t.services, "service"),
		formatDuration(t.duration()),
		time.Unix(0, int64(t.start)).UTC().Format(startFormat),
	}
	if faults := faultsOf(t); faults != "" {
		parts = append(parts, p.paint(yellow, faults))
	}
	return strings.Join(parts, gap)
}

// faultsOf says why t does not hang together, or is empty.
func faultsOf(t *tree) string {
	var faults []string
	if roots := t.topsBy(methodRoot); roots > 1 {
		faults = append(faults, plural(roots, "root"))
	}
	if missing := t.topsBy(methodMissing); missing > 0 {
		faults = append(faults, plural(missing, "missing parent"))
	}
	if cycles := t.topsBy(methodCycle); cycles > 0 {
		faults = append(faults, plural(cycles, "cycle"))
	}
	return strings.Join(faults, ", ")
}

func (c columns) draw(r row, t *tree, p painter) string {
	if r.span == nil {
		return fitLabel(r.label, c.line, p)
	}
	duration := formatDuration(r.span.duration())
	parts := []string{
		fitLabel(r.label, c.label, p),
		strings.Repeat(" ", c.duration-cells.StringWidth(duration)) + duration,
		bar(r.span, t, c.bar, p),
	}
	if c.status > 0 {
		parts = append(parts, fit(segment{r.status, red}, c.status, p))
	}
	return strings.Join(append(parts, fit(r.link, c.link, p)), gap)
}

// bar places a span within the time of its trace. It is at least one cell long.
func bar(s *span, t *tree, width int, p painter) string {
	from, to := 0, width
	if total := float64(t.duration()); total > 0 {
		from = int(float64(s.start-t.start) / total * float64(width))
		to = int(float64(s.end-t.start)/total*float64(width) + 0.5)
	}
	from = min(from, width-1)
	to = min(max(to, from+1), width)
	return p.paint(faint, strings.Repeat("·", from)) +
		p.paint(barStyle(s), strings.Repeat("█", to-from)) +
		p.paint(faint, strings.Repeat("·", width-to))
}

func barStyle(s *span) style {
	if s.failed {
		return red
	}
	return serviceStyle(s.service)
}
