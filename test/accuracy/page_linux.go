package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// The page's table stands between these lines.
const (
	pageBegin = "<!-- written by make accuracy -->\n"
	pageEnd   = "<!-- end -->\n"
)

// writePage writes the table of a page anew.
func (r *report) writePage(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, begins := strings.Cut(string(text), pageBegin)
	_, after, ends := strings.Cut(rest, pageEnd)
	if !begins || !ends {
		return fmt.Errorf("%s: the lines %q and %q are not there", path, pageBegin, pageEnd)
	}
	return os.WriteFile(path, []byte(before+pageBegin+r.table()+pageEnd+after), 0o644)
}

// table is the report in Markdown: a row for each workload with and without reuse, a column
// for each number in flight.
func (r *report) table() string {
	var levels []int
	for _, c := range r.Cells {
		if !slices.Contains(levels, c.InFlight) {
			levels = append(levels, c.InFlight)
		}
	}
	slices.Sort(levels)
	var out strings.Builder
	fmt.Fprintf(&out, "\n%s, %s; `make accuracy`", r.Machine, r.Date.Format("2006-01-02"))
	out.WriteString("\n\n| workload | connections |")
	for _, level := range levels {
		fmt.Fprintf(&out, " %d |", level)
	}
	out.WriteString(" whole traces | merged | calibration | methods | µs |\n|---|---|" + strings.Repeat("---|", len(levels)+5) + "\n")
	for cells := r.Cells; len(cells) > 0; {
		n := 1
		for n < len(cells) && cells[n].Workload == cells[0].Workload && cells[n].Reuse == cells[0].Reuse {
			n++
		}
		row(&out, levels, cells[:n])
		cells = cells[n:]
	}
	out.WriteString("\n")
	return out.String()
}

// row writes a workload's cells. What counts for all of them is the worst of them; the methods
// and the cost are those with the most in flight.
func row(out *strings.Builder, levels []int, cells []*cell) {
	connections := "kept"
	if !cells[0].Reuse {
		connections = "new"
	}
	fmt.Fprintf(out, "| `%s` | %s |", cells[0].Workload, connections)
	whole, merged, calibration := 1.0, 0, 0.0
	for _, level := range levels {
		i := slices.IndexFunc(cells, func(c *cell) bool { return c.InFlight == level })
		switch {
		case i < 0:
			out.WriteString(" |")
			continue
		case cells[i].Broken != "":
			out.WriteString(" spans lost |")
			continue
		}
		c := cells[i]
		figures := share(c.precision()) + " / " + share(percent(c.Recall))
		if len(c.Short) > 0 {
			figures = "**" + figures + "**"
		}
		fmt.Fprintf(out, " %s |", figures)
		whole, merged, calibration = min(whole, c.FullyCorrect), merged+c.OverMerged, max(calibration, c.CalibrationError)
	}
	most := cells[len(cells)-1]
	fmt.Fprintf(out, " %s | %d | %.3f | %s | %.0f |\n", share(percent(whole)), merged, calibration, most.methods(), most.CPUMicros)
}

// share is a percentage without its sign.
func share(of string) string { return strings.TrimSuffix(of, " %") }
