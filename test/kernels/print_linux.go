package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/seqlink/seqlink/test/kernels/report"
)

// row is what one kernel did.
type row struct {
	Kernel string `json:"kernel"`
	report.Report
}

// markdown draws the results as two tables.
func markdown(rows []row) string {
	var b strings.Builder
	b.WriteString("| kernel | release | fentry | kprobe | tracepoint | auto takes |\n|---|---|---|---|---|---|\n")
	for i := range rows {
		r := &rows[i]
		fmt.Fprintf(&b, "| %s | %s |", r.Kernel, r.Release)
		for _, name := range []string{"fentry", "kprobe", "tracepoint"} {
			fmt.Fprintf(&b, " %s |", cell(r, name))
		}
		fmt.Fprintf(&b, " %s |\n", r.Auto)
	}
	b.WriteString("\n| kernel | programs loaded | hooks it does not have | instructions verified |\n|---|---|---|---|\n")
	for i := range rows {
		r := &rows[i]
		var loaded, instructions int
		var absent []string
		for _, p := range r.Programs {
			switch {
			case p.Absent:
				absent = append(absent, p.Section)
			case p.Refusal == "":
				loaded++
				instructions += p.Processed
			}
		}
		fmt.Fprintf(&b, "| %s | %d of %d | %s | %d |\n", r.Kernel, loaded, len(r.Programs)-len(absent),
			strings.Join(absent, ", "), instructions)
	}
	return b.String()
}

// cell says how one strategy did.
func cell(r *row, strategy string) string {
	for _, s := range r.Strategies {
		if s.Name == strategy {
			text := fmt.Sprintf("%d of %d traced", s.Trace.Complete, s.Trace.Requests)
			if all := s.Tests.Passed + len(s.Tests.Failed); all > 0 {
				text += fmt.Sprintf(", %d of %d tests", s.Tests.Passed, all)
			}
			return text
		}
	}
	return "not tried"
}

// The marks between which a page's table stands.
const (
	tableBegins = "<!-- make kernels -->\n"
	tableEnds   = "<!-- end -->\n"
)

// replaceTable writes a page's table anew.
func replaceTable(page, table string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, ok1 := strings.Cut(string(text), tableBegins)
	_, after, ok2 := strings.Cut(rest, tableEnds)
	if !ok1 || !ok2 {
		return fmt.Errorf("%s has no place for the table, between %q and %q", page, tableBegins, tableEnds)
	}
	return os.WriteFile(page, []byte(before+tableBegins+"\n"+table+"\n"+tableEnds+after), 0o644)
}
