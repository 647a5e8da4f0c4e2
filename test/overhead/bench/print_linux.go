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
	fmt.Fprintln(w, "server\tvariant\trequests/s\tof bare\tp50 ms\tp99 ms\tµs CPU a request\tadded\tagent: cores\tRSS MiB\tevents/s\tspans/s")
	for _, name := range serverNames {
		if c := r.Servers[name]; c != nil {
			c.print(w, name)
		}
	}
	fmt.Fprintln(w)
	for _, name := range serverNames {
		if c := r.Servers[name]; c != nil {
			printPrograms(w, name, c.Programs)
		}
	}
	if f := r.Agent; f != nil {
		fmt.Fprintf(w, "\nsteady: %.0f requests/s, %.0f spans/s: agent %.2f cores, %.2f µs CPU a span, at most %.0f MiB (anonymous %.0f), %.0f since its start%s\n",
			f.RequestsPerSecond, f.SpansPerSecond, f.Cores, f.CPUMicros, f.RSSMiB, f.AnonymousMiB, f.PeakMiB, printLost(f.Lost))
	}
	if f := r.Governor; f != nil {
		f.print(w)
	}
	fmt.Fprintf(w, "\nunexplained losses: %.0f\n", r.Unexplained)
}

func (c *comparison) print(w io.Writer, name string) {
	for _, variant := range variants(name) {
		f := c.Medians[variant]
		rate := c.paired(variant, bare, func(f, bare figures) float64 { return f.RequestsPerSecond / bare.RequestsPerSecond })
		added := c.paired(variant, bare, func(f, bare figures) float64 { return f.CPUMicros - bare.CPUMicros })
		fmt.Fprintf(w, "%s\t%s\t%.0f\t%.3f\t%.2f\t%.2f\t%.2f\t%+.2f\t", name, variant, f.RequestsPerSecond, rate,
			f.P50Millis, f.P99Millis, f.CPUMicros, added)
		if f.AgentRSSMiB > 0 {
			fmt.Fprintf(w, "%.2f\t%.0f\t%.0f\t%.0f", f.AgentCores, f.AgentRSSMiB, f.EventsPerSec, f.SpansPerSec)
		}
		if variant == full {
			fmt.Fprint(w, printLost(c.Lost))
		}
		fmt.Fprintln(w)
	}
	if c.HooksRatio > 0 {
		fmt.Fprintf(w, "%s: %.3f of the requests without the hooks for causality\n", name, c.HooksRatio)
	}
}

func printPrograms(w io.Writer, name string, programs []programRun) {
	fmt.Fprintf(w, "BPF with %s:", name)
	for _, p := range programs {
		if p.Runs >= 1000 {
			fmt.Fprintf(w, " %s %.0f ns × %.0f;", p.Name, p.Nanoseconds, p.Runs)
		}
	}
	fmt.Fprintln(w)
}

func printLost(lost map[string]float64) (text string) {
	for _, reason := range slices.Sorted(maps.Keys(lost)) {
		text += fmt.Sprintf(", %s %.0f", reason, lost[reason])
	}
	return text
}
