// Command bench measures the linker against the same collector without it and
// against stock processors that hold spans, under the same load in one run. It prints
// a table and writes a JSON file.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/seqlink/seqlink/test/internal/collector"
)

// options are the command's flags.
type options struct {
	binary, out, memoryLimit, phases, profile, variants, resident string

	quick                          bool
	rounds                         int
	rate, growthRate, growthOthers float64
	sustained                      time.Duration
	maxRSS                         float64
}

// report is what is written.
type report struct {
	Machine string    `json:"machine"`
	Date    time.Time `json:"date"`
	Command string    `json:"command"`

	CPUMicroseconds float64 `json:"cpu_us_per_span"`
	SpansPerMinute  float64 `json:"spans_per_min"`
	RSSMiB          float64 `json:"rss_mib"`
	RatioToBare     float64 `json:"ratio_to_bare"`
	RatioToGroup    float64 `json:"ratio_to_groupbytrace"`
	RatioToTail     float64 `json:"ratio_to_tail_sampling"`
	LagP99          float64 `json:"flush_lag_p99_s"`
	Growth          float64 `json:"growth_ratio"`
	// Cost of the linker divided by that of others, with 1e5 spans resident at the same
	// rate: stock processors fall apart under more load than they can take.
	CostToGroup float64 `json:"cost_ratio_to_groupbytrace"`
	CostToTail  float64 `json:"cost_ratio_to_tail_sampling"`

	Saturated map[string]figures   `json:"saturated"`
	Rounds    map[string][]figures `json:"saturated_rounds"`
	Sustained *figures             `json:"sustained,omitempty"`
	// Resident has the growth phase's figures by variant and number of resident spans.
	Resident map[string]map[string]figures `json:"resident,omitempty"`
	Rebuild  *figures                      `json:"rebuild,omitempty"`
	// Faults says what must not be, whatever the machine.
	Faults []string `json:"faults,omitempty"`
}

func main() {
	var o options
	flag.StringVar(&o.binary, "bin", "build/otelcol-bench/otelcol-bench", "collector with all processors that are compared")
	flag.StringVar(&o.out, "out", "build/bench/linker.json", "file for the figures")
	flag.StringVar(&o.memoryLimit, "memory-limit", "1600MiB", "GOMEMLIMIT of every collector")
	flag.StringVar(&o.phases, "phases", "saturated,sustained,growth,rebuild", "what to measure")
	flag.StringVar(&o.profile, "profile", "", "folder for CPU profiles of the saturated and the sustained phase; profiling is in the figures")
	flag.StringVar(&o.variants, "variants", strings.Join(order, ","), "what is measured in the phases that compare")
	flag.StringVar(&o.resident, "resident", "1e4,1e5,1e6,3e6", "numbers of resident spans of the growth phase")
	flag.BoolVar(&o.quick, "quick", false, "short runs: figures are rough")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds of the saturated phase")
	flag.Float64Var(&o.rate, "rate", 90_000, "spans per second of the sustained phase; 0 is as many as possible")
	flag.Float64Var(&o.growthRate, "growth-rate", 50_000, "spans per second of the growth phase")
	flag.Float64Var(&o.growthOthers, "growth-others", 1e6, "number of resident spans up to which stock processors are measured in the growth phase")
	flag.DurationVar(&o.sustained, "sustained", 3*time.Minute, "length of the sustained phase")
	flag.Float64Var(&o.maxRSS, "max-rss", 0, "fail when the sustained phase needs more memory, in MiB; 0 is no bound")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := o.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (o *options) run(ctx context.Context) (err error) {
	if o.binary, err = filepath.Abs(o.binary); err != nil { // collectors run elsewhere
		return err
	}
	if _, err := o.sizes(); err != nil { // before minutes have gone by
		return err
	}
	if o.profile != "" {
		if err := os.MkdirAll(o.profile, 0o755); err != nil {
			return err
		}
	}
	r := &report{
		Machine: collector.Machine(), Date: time.Now().UTC(), Command: strings.Join(os.Args[1:], " "),
		Saturated: map[string]figures{}, Rounds: map[string][]figures{}, Resident: map[string]map[string]figures{},
	}
	for _, phase := range []struct {
		name string
		do   func(context.Context, *report) error
	}{{"saturated", o.saturated}, {"sustained", o.sustain}, {"growth", o.growth}, {"rebuild", o.rebuild}} {
		if !slices.Contains(strings.Split(o.phases, ","), phase.name) {
			continue
		}
		if err := phase.do(ctx, r); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", phase.name, err), r.write(o.out))
		}
	}
	r.print(os.Stdout)
	return errors.Join(r.write(o.out), o.check(r))
}

// note records what a run of the linker showed that must not be. Stock processors are not
// judged.
func (r *report) note(phase string, p processor, f figures) {
	if p.name != linkerName {
		return
	}
	for _, fault := range f.faults() {
		r.Faults = append(r.Faults, phase+": "+fault)
	}
}

// faults says which spans were lost and which traces are wrong.
func (f figures) faults() (all []string) {
	if f.Lost > 0 {
		all = append(all, fmt.Sprintf("%d spans were lost", f.Lost))
	}
	if f.Lost < 0 || f.Repeated > 0 {
		all = append(all, fmt.Sprintf("%d spans came again", max(-f.Lost, int64(f.Repeated))))
	}
	if f.Rejected > 0 {
		all = append(all, fmt.Sprintf("%d spans were refused for good", f.Rejected))
	}
	if f.Right != f.Checked {
		all = append(all, fmt.Sprintf("%d of %d traces are incomplete, %d wrong", f.Checked-f.Complete, f.Checked, f.Complete-f.Right))
	}
	return all
}

// check returns the faults, and memory beyond the bound, as an error.
func (o *options) check(r *report) error {
	faults := r.Faults
	if f := r.Sustained; f != nil && o.maxRSS > 0 && f.RSSMiB > o.maxRSS {
		faults = append(faults, fmt.Sprintf("sustained: %.0f MiB of memory, %.0f are allowed", f.RSSMiB, o.maxRSS))
	}
	if len(faults) > 0 {
		return errors.New(strings.Join(faults, "; "))
	}
	return nil
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
