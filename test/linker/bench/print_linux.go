package main

import (
	"fmt"
	"io"
	"iter"
	"strings"
	"text/tabwriter"
)

// print writes the figures as tables.
func (r *report) print(to io.Writer) {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	defer w.Flush()
	fmt.Fprintf(w, "\n%s, %s\n\n", r.Machine, r.Date.Format("2006-01-02 15:04"))
	if len(r.Saturated) > 0 {
		fmt.Fprintln(w, "saturated\tspans/s\tµs CPU a span\tspans/s a core\tRSS MiB\tlag p99 s\tlost\ttraces right")
		for _, name := range order {
			f := r.Saturated[name]
			fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%.0f\t%.0f\t%.3f\t%d\t%d of %d\n", name, f.SpansPerSecond, f.CPUMicroseconds, f.SpansPerCore, f.RSSMiB, f.LagP99, f.Lost, f.Right, f.Checked)
		}
		fmt.Fprintf(w, "\nthroughput of seqlink: %.2f of bare, %.2f of groupbytrace, %.2f of tail_sampling\n\n", r.RatioToBare, r.RatioToGroup, r.RatioToTail)
	}
	if f := r.Sustained; f != nil {
		fmt.Fprintf(w, "sustained: %.0f spans/min, %.2f µs CPU a span, RSS %.0f MiB (%.0f anonymous), lag p99 %.3f s,\n", f.SpansPerSecond*60, f.CPUMicroseconds, f.RSSMiB, f.AnonymousMiB, f.LagP99)
		fmt.Fprintf(w, "  %.0f held and %.0f known spans, %.0f B of index a known span, %.0f B of disk a held span, lost %d, right %d of %d\n\n", f.HeldSpans, f.KnownSpans, f.IndexBytes, f.DiskBytesPerSpan, f.Lost, f.Right, f.Checked)
	}
	if len(r.Resident) > 0 {
		fmt.Fprintln(w, "resident spans\tµs CPU a span\tRSS MiB\tlag p99 s")
		for _, size := range []string{"1e+04", "1e+05", "1e+06", "3e+06"} {
			if f, ok := r.Resident[size]; ok {
				fmt.Fprintf(w, "%s\t%.2f\t%.0f\t%.3f\n", size, f.CPUMicroseconds, f.RSSMiB, f.LagP99)
			}
		}
		fmt.Fprintf(w, "\ncost at 3e6 resident spans: %.2f of that at 1e5\n\n", r.Growth)
	}
	if f := r.Rebuild; f != nil {
		fmt.Fprintf(w, "rebuild: %.0f waiting spans in %.2f s\n", f.HeldSpans, f.RebuildSeconds)
	}
}

func lines(s string) iter.Seq[string] { return strings.SplitSeq(s, "\n") }

func index(s, sub string) int { return strings.Index(s, sub) }

func trim(s string) string { return strings.TrimSpace(s) }

// fieldOf returns the value of the first line "name : value".
func fieldOf(text, name string) string {
	for line := range lines(text) {
		if key, value, ok := strings.Cut(line, ":"); ok && trim(key) == name {
			return trim(value)
		}
	}
	return ""
}
