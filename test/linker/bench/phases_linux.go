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

// seqlink returns the linker with a window, its store on disk.
func seqlink(window time.Duration, dir, more string) processor {
	return processor{"seqlink", fmt.Sprintf("    window: %v\n    db_path: %s\n%s", window, dir, more)}
}

// variants are the processors of the saturated phase; all hold spans equally long.
func variants(window time.Duration, dir string) map[string]processor {
	return map[string]processor{
		"bare":          {},
		"seqlink":       seqlink(window, dir, ""),
		"groupbytrace":  {"groupbytrace", fmt.Sprintf("    wait_duration: %v\n    num_traces: 20000000\n    num_workers: 2\n", window)},
		"tail_sampling": {"tail_sampling", fmt.Sprintf("    decision_wait: %v\n    num_traces: 20000000\n    policies: [{name: all, type: always_sample}]\n", window)},
	}
}

var order = []string{"bare", "seqlink", "groupbytrace", "tail_sampling"}

// window returns how long a processor of this command's holds spans.
func window(p processor) time.Duration {
	for line := range lines(p.config) {
		for _, key := range []string{"window: ", "wait_duration: ", "decision_wait: "} {
			if at := index(line, key); at >= 0 {
				d, err := time.ParseDuration(line[at+len(key):])
				if err == nil {
					return d
				}
			}
		}
	}
	return 0
}

// saturated gives each variant as much as it takes, in turns.
func (o *options) saturated(ctx context.Context, r *report) error {
	held, measured, rounds := 5*time.Second, 20*time.Second, o.rounds
	if o.quick {
		held, measured, rounds = 2*time.Second, 6*time.Second, 1
	}
	for round := range rounds {
		for i := range order {
			name := order[(i+round)%len(order)] // nobody is always first
			if !slices.Contains(strings.Split(o.variants, ","), name) {
				continue
			}
			f, err := o.measure(ctx, run{warm: held + 5*time.Second, measured: measured, late: held / 2, first: uint64(round+1) << 40},
				func(dir string) processor { return variants(held, dir)[name] })
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			progress("saturated, round %d of %d: %-13s %8.0f spans/s, %5.2f µs CPU a span, %5.0f MiB, lost %d, right %d of %d",
				round+1, rounds, name, f.SpansPerSecond, f.CPUMicroseconds, f.RSSMiB, f.Lost, f.Right, f.Checked)
			r.Rounds[name] = append(r.Rounds[name], f)
		}
	}
	for name, all := range r.Rounds {
		r.Saturated[name] = median(all)
	}
	r.CPUMicroseconds = r.Saturated["seqlink"].CPUMicroseconds
	r.RatioToBare = r.ratioTo("bare")
	r.RatioToGroup = r.ratioTo("groupbytrace")
	r.RatioToTail = r.ratioTo("tail_sampling")
	return nil
}

// ratioTo compares the linker's throughput with another one's; 0 where that is not
// known.
func (r *report) ratioTo(name string) float64 {
	if other := r.Saturated[name].SpansPerSecond; other > 0 {
		return r.Saturated["seqlink"].SpansPerSecond / other
	}
	return 0
}

// median returns the run with the median throughput.
func median(all []figures) figures {
	sorted := slices.Clone(all)
	slices.SortFunc(sorted, func(a, b figures) int { return cmp.Compare(a.SpansPerSecond, b.SpansPerSecond) })
	return sorted[len(sorted)/2]
}

// sustain runs the linker with the default window for minutes.
func (o *options) sustain(ctx context.Context, r *report) error {
	window, measured := 20*time.Second, o.sustained
	if o.quick {
		window, measured = 5*time.Second, 10*time.Second
	}
	spec := run{rate: o.rate, warm: window + 5*time.Second, measured: measured, late: window * 3 / 4, first: 1 << 50}
	if o.profile != "" {
		spec.profile = filepath.Join(o.profile, "sustained.pprof")
	}
	f, err := o.measure(ctx, spec, func(dir string) processor { return seqlink(window, dir, "") })
	if err != nil {
		return err
	}
	progress("sustained: %.0f spans/min, %.2f µs CPU a span, %.0f MiB, lag p99 %.3f s, lost %d, right %d of %d",
		f.SpansPerSecond*60, f.CPUMicroseconds, f.RSSMiB, f.LagP99, f.Lost, f.Right, f.Checked)
	r.Sustained = &f
	r.SpansPerMinute, r.RSSMiB, r.LagP99 = f.SpansPerSecond*60, f.RSSMiB, f.LagP99
	if r.CPUMicroseconds == 0 {
		r.CPUMicroseconds = f.CPUMicroseconds
	}
	return nil
}

// growth measures the cost of a span while more and more of them wait. Names are
// remembered for one window, so that what is known grows in step.
func (o *options) growth(ctx context.Context, r *report) error {
	measured := 15 * time.Second
	if o.quick {
		o.resident, measured = "1e4,1e5", 5*time.Second
	}
	for size := range strings.SplitSeq(o.resident, ",") {
		resident, err := strconv.ParseFloat(size, 64)
		if err != nil {
			return fmt.Errorf("-resident: %q is not a number: give some like 1e4,1e5", size)
		}
		window := time.Duration(resident / o.growthRate * float64(time.Second)).Round(time.Millisecond)
		more := fmt.Sprintf("    retention: %v\n    max_memory_mib: 0\n", window)
		f, err := o.measure(ctx, run{rate: o.growthRate, warm: window + window/2 + 3*time.Second, measured: measured, late: window / 2, first: 1 << 51},
			func(dir string) processor { return seqlink(window, dir, more) })
		if err != nil {
			return err
		}
		progress("growth: %8.0f resident spans: %.2f µs CPU a span, %.0f MiB, lag p99 %.3f s", resident, f.CPUMicroseconds, f.RSSMiB, f.LagP99)
		r.Resident[fmt.Sprintf("%.0e", resident)] = f
	}
	small, large := r.Resident["1e+05"], r.Resident["3e+06"]
	if small.CPUMicroseconds > 0 && large.CPUMicroseconds > 0 {
		r.Growth = large.CPUMicroseconds / small.CPUMicroseconds
	}
	return nil
}

// rebuild kills the linker while spans wait and measures its start.
func (o *options) rebuild(ctx context.Context, r *report) error {
	window, warm := time.Minute, 20*time.Second
	if o.quick {
		warm = 5 * time.Second
	}
	f, err := o.measure(ctx, run{rate: 50_000, warm: warm, measured: time.Second, first: 1 << 52, crash: true},
		func(dir string) processor { return seqlink(window, dir, "") })
	if err != nil {
		return err
	}
	progress("rebuild: %.0f waiting spans in %.2f s", f.HeldSpans, f.RebuildSeconds)
	r.Rebuild = &f
	return nil
}

// measure runs a collector with the processor that make returns for its store.
func (o *options) measure(ctx context.Context, spec run, make func(dir string) processor) (figures, error) {
	spec.binary, spec.memoryLimit = o.binary, o.memoryLimit
	spec.processor = make("window") // below the collector's working directory
	return spec.do(ctx)
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, "==> "+format+"\n", args...) }
