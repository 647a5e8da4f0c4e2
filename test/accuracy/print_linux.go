package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

func (r *report) sort() {
	order := make(map[string]int)
	for i, w := range workloads {
		order[w.name] = i
	}
	slices.SortFunc(r.Cells, func(a, b *cell) int {
		return cmp.Or(order[a.Workload]-order[b.Workload], strings.Compare(onOff(b.Reuse), onOff(a.Reuse)), a.InFlight-b.InFlight)
	})
}

// print writes the figures as a table.
func (r *report) print(to io.Writer) {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	defer w.Flush()
	fmt.Fprintf(w, "\n%s, %s\n\n", r.Machine, r.Date.Format("2006-01-02 15:04"))
	fmt.Fprintln(w, "workload\tin flight\treuse\tcalls\tprecision\trecall\twhole traces\tmerged\twrong\torphans\tmethods\tcalibration\tµs CPU a request\tlost\tshort")
	for _, c := range r.Cells {
		fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%s\t%s\t%s\t%d\t%d\t%d\t%s\t%.3f\t%.0f\t%s\t%s\n", c.Workload, c.InFlight, onOff(c.Reuse), c.Calls,
			c.precision(), percent(c.Recall), percent(c.FullyCorrect), c.OverMerged, c.WrongParents, c.Orphans,
			c.methods(), c.CalibrationError, c.CPUMicros, c.Losses, c.remarks())
	}
}

// percent shows as many digits as the wanted figures have, and never rounds up.
func percent(share float64) string {
	if share == 1 {
		return "100 %"
	}
	return fmt.Sprintf("%.2f %%", math.Floor(10_000*share)/100)
}

// precision is nothing where no call has a parent.
func (c *cell) precision() string {
	if c.Parents == 0 {
		return "–"
	}
	return percent(c.Precision)
}

// remarks say where the cell is less than wanted.
func (c *cell) remarks() string {
	if c.Broken != "" {
		return c.Broken
	}
	return strings.Join(c.Short, "; ")
}

// methods lists the shares of methods, the largest first.
func (c *cell) methods() string {
	names := slices.SortedFunc(maps.Keys(c.Methods), func(a, b string) int {
		return cmp.Or(cmp.Compare(c.Methods[b], c.Methods[a]), strings.Compare(a, b))
	})
	var parts []string
	for _, name := range names {
		parts = append(parts, fmt.Sprintf("%s %.1f", name, 100*c.Methods[name]))
	}
	return strings.Join(parts, ", ")
}

func (c *cell) String() string {
	text := fmt.Sprintf("%s: precision %s, recall %s, whole traces %s, %s", c.name(), c.precision(), percent(c.Recall),
		percent(c.FullyCorrect), c.methods())
	if c.Broken != "" {
		text += "; BROKEN: " + c.Broken
	}
	return text
}

func (r *report) write(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}
