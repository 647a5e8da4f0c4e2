package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// saturated gives each variant as much as it takes, in turns.
func (o *options) saturated(ctx context.Context, r *report) error {
	window, measured, rounds := 5*time.Second, 20*time.Second, o.rounds
	if o.quick {
		window, measured, rounds = 2*time.Second, 6*time.Second, 1
	}
	// Nothing on two cores is faster than this, and segments have two spans or more on
	// average.
	const maxRate = 400_000
	traces := int(maxRate / 2 * (window + 2*time.Second).Seconds())
	for round := range rounds {
		for i := range order {
			name := order[(i+round)%len(order)] // nobody is always first
			if !slices.Contains(strings.Split(o.variants, ","), name) {
				continue
			}
			p := variant(name, window, traces)
			spec := run{processor: p, warm: p.warm(), measured: measured, late: window / 2, first: uint64(round+1) << 40}
			spec.profile = o.profileFile("saturated-" + name)
			f, err := o.measure(ctx, spec)
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			progress("saturated, round %d of %d: %-13s %8.0f spans/s, %6.2f µs CPU a span, %5.0f MiB, lost %d, right %d of %d",
				round+1, rounds, name, f.SpansPerSecond, f.CPUMicroseconds, f.RSSMiB, f.Lost, f.Right, f.Checked)
			r.Rounds[name] = append(r.Rounds[name], f)
			r.note(fmt.Sprintf("saturated, round %d", round+1), p, f)
		}
	}
	for name, all := range r.Rounds {
		r.Saturated[name] = median(all)
	}
	r.CPUMicroseconds = r.Saturated[linkerName].CPUMicroseconds
	r.RatioToBare = r.ratioTo("bare")
	r.RatioToGroup = r.ratioTo("groupbytrace")
	r.RatioToTail = r.ratioTo("tail_sampling")
	return nil
}

// ratioTo compares the linker's throughput with another one's.
func (r *report) ratioTo(name string) float64 {
	return ratio(r.Saturated[linkerName].SpansPerSecond, r.Saturated[name].SpansPerSecond)
}

// ratio returns a divided by b, 0 where b was not measured.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// median returns the run with the median throughput.
func median(all []figures) figures {
	sorted := slices.Clone(all)
	slices.SortFunc(sorted, func(a, b figures) int { return cmp.Compare(a.SpansPerSecond, b.SpansPerSecond) })
	return sorted[len(sorted)/2]
}

// sustain runs the linker with its default settings for minutes.
func (o *options) sustain(ctx context.Context, r *report) error {
	window, measured := 20*time.Second, o.sustained
	if o.quick {
		window, measured = 5*time.Second, 10*time.Second
	}
	spec := run{processor: linker(window, ""), rate: o.rate, warm: window + 5*time.Second, measured: measured, late: window * 3 / 4, first: 1 << 50}
	spec.profile = o.profileFile("sustained")
	f, err := o.measure(ctx, spec)
	if err != nil {
		return err
	}
	progress("sustained: %.0f spans/min, %.2f µs CPU a span, %.0f MiB, lag p99 %.3f s, lost %d, right %d of %d",
		f.SpansPerSecond*60, f.CPUMicroseconds, f.RSSMiB, f.LagP99, f.Lost, f.Right, f.Checked)
	r.Sustained = &f
	r.note("sustained", spec.processor, f)
	r.SpansPerMinute, r.RSSMiB, r.LagP99 = f.SpansPerSecond*60, f.RSSMiB, f.LagP99
	if r.CPUMicroseconds == 0 {
		r.CPUMicroseconds = f.CPUMicroseconds
	}
	return nil
}

// sizes returns the numbers of resident spans of the growth phase.
func (o *options) sizes() (all []float64, err error) {
	if o.quick {
		return []float64{1e4, 1e5}, nil
	}
	for size := range strings.SplitSeq(o.resident, ",") {
		resident, err := strconv.ParseFloat(size, 64)
		if err != nil || resident <= 0 {
			return nil, fmt.Errorf("-resident: %q is not a number of spans: give some like 1e4,1e5", size)
		}
		all = append(all, resident)
	}
	return all, nil
}

func sizeName(resident float64) string { return fmt.Sprintf("%.0e", resident) }

// growth measures the cost of a span while more and more of them wait, at the same rate.
func (o *options) growth(ctx context.Context, r *report) error {
	measured := 15 * time.Second
	if o.quick {
		measured = 5 * time.Second
	}
	sizes, err := o.sizes()
	if err != nil {
		return err
	}
	for _, resident := range sizes {
		window := time.Duration(resident / o.growthRate * float64(time.Second)).Round(time.Millisecond)
		for _, name := range order[1:] {
			if !o.grows(name, resident, window) {
				continue
			}
			p := variant(name, window, int(resident+o.growthRate))
			spec := run{processor: p, rate: o.growthRate, warm: p.warm(), measured: measured, late: min(window/2, maxLate), first: 1 << 51}
			if name != linkerName {
				spec.end = dropped // to settle takes as long as the window
			}
			f, err := o.measure(ctx, spec)
			if err != nil {
				return fmt.Errorf("%s with %s spans: %w", name, sizeName(resident), err)
			}
			progress("growth: %-13s %8.0f resident spans: %8.0f spans/s, %6.2f µs CPU a span, %.0f MiB, lag p99 %.3f s",
				name, resident, f.SpansPerSecond, f.CPUMicroseconds, f.RSSMiB, f.LagP99)
			r.grown(name, resident, f)
			r.note("growth, "+sizeName(resident), p, f)
		}
	}
	cost := func(name string, resident float64) float64 {
		return r.Resident[name][sizeName(resident)].CPUMicroseconds
	}
	r.Growth = ratio(cost(linkerName, 3e6), cost(linkerName, 1e5))
	r.CostToGroup = ratio(cost(linkerName, 1e5), cost("groupbytrace", 1e5))
	r.CostToTail = ratio(cost(linkerName, 1e5), cost("tail_sampling", 1e5))
	return nil
}

// maxLate bounds how late segments come, as in load.DefaultMix.
const maxLate = 15 * time.Second

// grows tells whether a variant is measured with so many spans.
func (o *options) grows(name string, resident float64, window time.Duration) bool {
	switch {
	case !slices.Contains(strings.Split(o.variants, ","), name):
		return false
	case name == linkerName:
		return true
	case name == "tail_sampling" && window < time.Second:
		return false // it waits a second at least
	}
	return resident <= o.growthOthers
}

func (r *report) grown(name string, resident float64, f figures) {
	if r.Resident[name] == nil {
		r.Resident[name] = map[string]figures{}
	}
	r.Resident[name][sizeName(resident)] = f
}

// rebuild kills the linker while spans wait and measures its start.
func (o *options) rebuild(ctx context.Context, r *report) error {
	window, warm := time.Minute, 20*time.Second
	if o.quick {
		warm = 5 * time.Second
	}
	p := linker(window, "")
	f, err := o.measure(ctx, run{processor: p, rate: 50_000, warm: warm, measured: time.Second, first: 1 << 52, end: restarted})
	if err != nil {
		return err
	}
	progress("rebuild: %.0f waiting spans in %.2f s, lost %d", f.RebuiltSpans, f.RebuildSeconds, f.Lost)
	r.Rebuild = &f
	r.note("rebuild", p, f)
	return nil
}

// profileFile returns where a CPU profile goes, empty for nowhere.
func (o *options) profileFile(name string) string {
	if o.profile == "" {
		return ""
	}
	return filepath.Join(o.profile, name+".pprof")
}

// measure does a run with the command's collector.
func (o *options) measure(ctx context.Context, spec run) (figures, error) {
	spec.binary, spec.environment = o.binary, []string{"GOMEMLIMIT=" + o.memoryLimit}
	return spec.do(ctx)
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, "==> "+format+"\n", args...) }
