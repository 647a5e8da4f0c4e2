package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
)

// print writes the figures as tables.
func (r *report) print(to io.Writer) {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	defer w.Flush()
	fmt.Fprintf(w, "\n%s, %s\n\n", r.Machine, r.Date.Format("2006-01-02 15:04"))
	r.printSaturated(w)
	if f := r.Sustained; f != nil {
		fmt.Fprintf(w, "sustained: %.0f spans/min, %.2f µs CPU a span, lag p99 %.3f s, RSS %.0f MiB (anonymous %.0f, files %.0f),\n",
			f.SpansPerSecond*60, f.CPUMicroseconds, f.LagP99, f.RSSMiB, f.AnonymousMiB, f.FileMiB)
		fmt.Fprintf(w, "  %.0f held and %.0f known spans, %.0f B of index a known span, %.0f B of disk a held span, lost %d, right %d of %d,\n",
			f.HeldSpans, f.KnownSpans, f.IndexBytes, f.DiskBytesPerSpan, f.Lost, f.Right, f.Checked)
		fmt.Fprintf(w, "  generator and backend %.2f µs CPU a span\n\n", f.GeneratorMicros)
	}
	r.printGrowth(w)
	if f := r.Rebuild; f != nil {
		fmt.Fprintf(w, "rebuild after SIGKILL: %.0f waiting spans in %.2f s, lost %d\n", f.RebuiltSpans, f.RebuildSeconds, f.Lost)
	}
}

func (r *report) printSaturated(w io.Writer) {
	if len(r.Saturated) == 0 {
		return
	}
	fmt.Fprintln(w, "saturated\tspans/s\tµs CPU a span\tspans/s a core\tRSS MiB\tlag p99 s\tlost\ttraces right")
	for _, name := range order {
		f, ok := r.Saturated[name]
		if !ok {
			continue
		}
		lag, right := "", ""
		if name == linkerName { // nobody else joins segments
			lag, right = fmt.Sprintf("%.3f", f.LagP99), fmt.Sprintf("%d of %d", f.Right, f.Checked)
		}
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%.0f\t%.0f\t%s\t%d\t%s\n", name, f.SpansPerSecond, f.CPUMicroseconds, f.SpansPerCore, f.RSSMiB, lag, f.Lost, right)
	}
	fmt.Fprintf(w, "\nthroughput of seqlink: %.2f of bare, %.2f of groupbytrace, %.2f of tail_sampling\n\n", r.RatioToBare, r.RatioToGroup, r.RatioToTail)
}

func (r *report) printGrowth(w io.Writer) {
	if len(r.Resident) == 0 {
		return
	}
	fmt.Fprint(w, "resident spans")
	for _, name := range order[1:] {
		fmt.Fprintf(w, "\t%s: µs CPU a span\tRSS MiB", name)
	}
	fmt.Fprintln(w, "\tlag p99 s")
	for _, size := range slices.Sorted(maps.Keys(r.Resident[linkerName])) {
		fmt.Fprint(w, size)
		for _, name := range order[1:] {
			if f, ok := r.Resident[name][size]; ok {
				fmt.Fprintf(w, "\t%.2f\t%.0f", f.CPUMicroseconds, f.RSSMiB)
			} else {
				fmt.Fprint(w, "\t-\t-")
			}
		}
		fmt.Fprintf(w, "\t%.3f\n", r.Resident[linkerName][size].LagP99)
	}
	fmt.Fprintf(w, "\ncost of seqlink at 3e6 resident spans: %.2f of that at 1e5; at 1e5 %.2f of groupbytrace's, %.2f of tail_sampling's\n\n",
		r.Growth, r.CostToGroup, r.CostToTail)
}
