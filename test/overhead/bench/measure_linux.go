package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/seqlink/seqlink/test/internal/collector"
)

// figures are those of one run, or medians of several.
type figures struct {
	RequestsPerSecond float64 `json:"rps"`
	P50Millis         float64 `json:"p50_ms"`
	P99Millis         float64 `json:"p99_ms"`
	// CPUMicros is the server's own CPU time for a request.
	CPUMicros float64 `json:"cpu_us_per_request"`

	// What follows is the agent's, and 0 without one.

	AgentCores   float64 `json:"agent_cores,omitempty"`
	AgentRSSMiB  float64 `json:"agent_rss_mib,omitempty"`
	EventsPerSec float64 `json:"agent_events_per_s,omitempty"`
	SpansPerSec  float64 `json:"agent_spans_per_s,omitempty"`
}

// comparison has what was measured with one server.
type comparison struct {
	// RPSRatio and FloorRatio are requests per second with full capture and with empty
	// programs, divided by those without: medians of the rounds' ratios.
	RPSRatio   float64 `json:"rps_ratio"`
	FloorRatio float64 `json:"floor_ratio"`
	// CPUAdded and FloorCPUAdded are microseconds of the server's CPU time for a request
	// beyond those without, medians of the rounds' differences.
	CPUAdded      float64 `json:"cpu_us_per_request_added"`
	FloorCPUAdded float64 `json:"floor_cpu_us_per_request_added"`
	// ThinnedRatio is that with one request in ten kept. PlainRatio is that without the
	// hooks that serve causality alone, HooksRatio what full capture has of the requests
	// per second of that.
	ThinnedRatio float64 `json:"thinned_ratio,omitempty"`
	PlainRatio   float64 `json:"plain_ratio,omitempty"`
	HooksRatio   float64 `json:"hooks_ratio,omitempty"`

	Medians map[string]figures   `json:"medians"`
	Rounds  map[string][]figures `json:"rounds"`
	// Programs are the BPF programs' own times, measured in a run of its own.
	Programs []programRun `json:"programs,omitempty"`
	// Lost has the losses that the agent counted, by reason, over all runs.
	Lost        map[string]float64 `json:"losses,omitempty"`
	Unexplained float64            `json:"losses_unexplained"`
}

// compare measures all variants with one server, in rounds, in another order each time.
func (o *options) compare(ctx context.Context, name string) (c *comparison, err error) {
	s, err := startServer(name, o.pin)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	c = &comparison{Rounds: map[string][]figures{}, Medians: map[string]figures{}, Lost: map[string]float64{}}
	order := variants(name)
	for round := range o.rounds {
		for _, variant := range order {
			f, err := o.measure(ctx, s, variant, c, nil)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", variant, err)
			}
			c.Rounds[variant] = append(c.Rounds[variant], f)
			progress("%-5s round %d of %d: %-7s %7.0f requests/s, p99 %5.2f ms, %5.2f µs CPU a request, agent %.2f cores",
				name, round+1, o.rounds, variant, f.RequestsPerSecond, f.P99Millis, f.CPUMicros, f.AgentCores)
		}
		order = append(order[1:], order[0])
	}
	c.conclude()
	_, err = o.measure(ctx, s, full, c, func(pid int) (err error) {
		c.Programs, err = programRuns(pid)
		return err
	})
	return c, err
}

// measure attaches a variant and measures the server under full load. With inspect the
// kernel measures its programs too, which costs time; inspect is called with the agent's
// process id at the end.
func (o *options) measure(ctx context.Context, s *server, variant string, c *comparison, inspect func(pid int) error) (f figures, err error) {
	a, err := o.attach(variant, s)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, a.detach()) }()
	if inspect != nil {
		stop, err := measurePrograms()
		if err != nil {
			return f, err
		}
		defer stop()
	}
	warm, err := s.load(ctx, o.warm, o.connections, c.expected())
	if err != nil {
		return f, err
	}
	before, err := a.read(s)
	if err != nil {
		return f, err
	}
	counted, err := s.load(ctx, o.measured, o.connections, c.expected())
	if err != nil {
		return f, err
	}
	after, err := a.read(s)
	if err != nil {
		return f, err
	}
	f = after.since(before, counted)
	if a.agent == nil {
		return f, nil
	}
	f.AgentRSSMiB = after.memory.All
	if inspect != nil {
		err = inspect(a.agent.PID())
	}
	return f, errors.Join(err, c.account(a.agent, s, warm.requests+counted.requests, 2*float64(o.connections)))
}

// expected is the rate that the server reached without an agent; 0 before it was measured.
func (c *comparison) expected() float64 {
	if len(c.Rounds[bare]) == 0 {
		return 0
	}
	return c.Rounds[bare][0].RequestsPerSecond
}

// reading is the state of all counters at one time.
type reading struct {
	at            time.Time
	server, agent time.Duration
	memory        collector.Memory
	telemetry     collector.Metrics
}

func (a *attached) read(s *server) (r reading, err error) {
	r.at = time.Now()
	if r.server, err = s.cpu(); err != nil || a.agent == nil {
		return r, err
	}
	var errs [3]error
	r.agent, errs[0] = runTime(a.agent.PID())
	r.memory, errs[1] = a.agent.Memory()
	r.telemetry, errs[2] = a.agent.Scrape()
	return r, errors.Join(errs[:]...)
}

// The agent's own metrics.
const (
	metricSpans   = "otelcol_receiver_accepted_spans"
	metricEvents  = "otelcol_ebpf_span_events"
	metricLosses  = "otelcol_ebpf_span_losses"
	metricThinned = "otelcol_ebpf_span_thinned_requests"
)

func (r reading) since(before reading, a answers) figures {
	seconds := r.at.Sub(before.at).Seconds()
	f := figures{
		RequestsPerSecond: a.perSecond,
		P50Millis:         a.p50.Seconds() * 1000,
		P99Millis:         a.p99.Seconds() * 1000,
		CPUMicros:         (r.server - before.server).Seconds() * 1e6 / a.requests,
		AgentCores:        (r.agent - before.agent).Seconds() / seconds,
	}
	if r.telemetry != nil {
		f.EventsPerSec = (r.telemetry.Sum(metricEvents) - before.telemetry.Sum(metricEvents)) / seconds
		f.SpansPerSec = (r.telemetry.Sum(metricSpans) - before.telemetry.Sum(metricSpans)) / seconds
	}
	return f
}

// conclude computes medians and ratios from the rounds.
func (c *comparison) conclude() {
	for variant, rounds := range c.Rounds {
		c.Medians[variant] = medians(rounds)
	}
	rate := func(f, other figures) float64 { return f.RequestsPerSecond / other.RequestsPerSecond }
	added := func(f, other figures) float64 { return f.CPUMicros - other.CPUMicros }
	c.RPSRatio, c.FloorRatio = c.paired(full, bare, rate), c.paired(floor, bare, rate)
	c.CPUAdded, c.FloorCPUAdded = c.paired(full, bare, added), c.paired(floor, bare, added)
	c.ThinnedRatio, c.PlainRatio = c.paired(thinned, bare, rate), c.paired(plain, bare, rate)
	c.HooksRatio = c.paired(full, plain, rate)
}

// paired is the median over the rounds of what compare makes of two variants, 0 where
// one of them was not measured.
func (c *comparison) paired(variant, other string, compare func(f, other figures) float64) float64 {
	var all []float64
	for i := range min(len(c.Rounds[variant]), len(c.Rounds[other])) {
		all = append(all, compare(c.Rounds[variant][i], c.Rounds[other][i]))
	}
	return median(all)
}

func medians(rounds []figures) (m figures) {
	for _, field := range []func(*figures) *float64{
		func(f *figures) *float64 { return &f.RequestsPerSecond },
		func(f *figures) *float64 { return &f.P50Millis },
		func(f *figures) *float64 { return &f.P99Millis },
		func(f *figures) *float64 { return &f.CPUMicros },
		func(f *figures) *float64 { return &f.AgentCores },
		func(f *figures) *float64 { return &f.AgentRSSMiB },
		func(f *figures) *float64 { return &f.EventsPerSec },
		func(f *figures) *float64 { return &f.SpansPerSec },
	} {
		var values []float64
		for i := range rounds {
			values = append(values, *field(&rounds[i]))
		}
		*field(&m) = median(values)
	}
	return m
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}
