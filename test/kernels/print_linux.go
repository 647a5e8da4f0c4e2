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

// markdown draws the results as a table.
func markdown(rows []row) string {
	var b strings.Builder
	b.WriteString("| kernel | release | programs loaded | instructions verified | tests of capture | requests traced |\n|---|---|---|---|---|---|\n")
	for i := range rows {
		r := &rows[i]
		loaded, instructions := 0, 0
		for _, p := range r.Programs {
			if p.Refusal == "" {
				loaded++
				instructions += p.Processed
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %d of %d | %d | %d of %d | %s |\n", r.Kernel, r.Release, loaded, len(r.Programs), instructions,
			r.Tests.Passed, r.Tests.Passed+len(r.Tests.Failed), traces(r.Traces))
	}
	return b.String()
}

func traces(all []report.Trace) string {
	var parts []string
	for _, t := range all {
		parts = append(parts, fmt.Sprintf("%s: %d of %d", t.Strategy, t.Complete, t.Requests))
	}
	return strings.Join(parts, ", ")
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
