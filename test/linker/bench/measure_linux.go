package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/seqlink/seqlink/test/linker/load"
	"github.com/seqlink/seqlink/test/linker/sink"
)

// run is one measurement of one collector.
type run struct {
	binary, memoryLimit string
	processor           processor
	// rate is in spans per second, 0 for as many as possible.
	rate float64
	// warm is the time before, and measured the time of, the measurement.
	warm, measured time.Duration
	// late is how late segments come at most.
	late time.Duration
	// first is the number of the first trace.
	first uint64
	// profile is where a CPU profile goes, if anywhere.
	profile string
	// crash kills the collector at the end and measures its next start.
	crash bool
}

// figures are what a run gave.
type figures struct {
	SpansPerSecond   float64 `json:"spans_per_s"`
	CPUMicroseconds  float64 `json:"cpu_us_per_span"`
	SpansPerCore     float64 `json:"spans_per_core_s"`
	RSSMiB           float64 `json:"rss_mib"`
	AnonymousMiB     float64 `json:"rss_anonymous_mib"`
	LagP99           float64 `json:"flush_lag_p99_s,omitempty"`
	HeldSpans        float64 `json:"held_spans,omitempty"`
	KnownSpans       float64 `json:"known_spans,omitempty"`
	IndexBytes       float64 `json:"index_bytes_per_known_span,omitempty"`
	DiskBytesPerSpan float64 `json:"disk_bytes_per_held_span,omitempty"`
	RebuildSeconds   float64 `json:"rebuild_s,omitempty"`
	Sent             uint64  `json:"spans_sent"`
	Refused          uint64  `json:"spans_refused"`
	Lost             int64   `json:"spans_lost"`
	Checked          int     `json:"traces_checked"`
	Right            int     `json:"traces_right"`
	GeneratorMicros  float64 `json:"generator_and_sink_cpu_us_per_span"`
}

// maxSettle is how long what was sent may take to come out, beyond the time for which
// the processor holds it.
const maxSettle = 30 * time.Second

const metricPrefix = "otelcol_processor_seqlink_"

// do runs a collector under load and measures it.
func (r *run) do(ctx context.Context) (f figures, err error) {
	dir, err := os.MkdirTemp("", "seqlink-bench-")
	if err != nil {
		return f, err
	}
	defer os.RemoveAll(dir)
	backend, err := sink.Start()
	if err != nil {
		return f, err
	}
	defer backend.Stop()
	c, err := startCollector(r.binary, dir, backend.Endpoint, r.processor, r.memoryLimit)
	if err != nil {
		return f, err
	}
	defer func() { _ = c.cmd.Process.Kill() }()
	mix := load.DefaultMix
	mix.LateMin, mix.LateMax = min(mix.LateMin, r.late), min(mix.LateMax, r.late)
	m := measurement{run: r, collector: c, sink: backend, sender: &load.Sender{
		Endpoint: c.endpoint, Rate: r.rate, BatchSpans: 500, InFlight: 4, First: r.first, Mix: mix,
	}}
	return m.measure(ctx)
}

// measurement is a run under way.
type measurement struct {
	run       *run
	collector *collector
	sink      *sink.Sink
	sender    *load.Sender
	figures   figures
}

// reading is the state of all counters at one time.
type reading struct {
	at        time.Time
	cpu, own  time.Duration
	spans     uint64
	telemetry metrics
}

func (m *measurement) read() (r reading, err error) {
	r.at, r.spans, r.own = time.Now(), m.sink.Spans.Load(), ownCPU()
	r.cpu, err = m.collector.cpu()
	if err != nil {
		return r, err
	}
	r.telemetry, err = m.collector.scrape()
	return r, err
}

func ownCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func (m *measurement) measure(ctx context.Context) (figures, error) {
	sending, cancel := context.WithCancel(ctx)
	var sender sync.WaitGroup
	sender.Go(func() { _ = m.sender.Run(sending) })
	defer sender.Wait()
	defer cancel()
	if !sleep(ctx, m.run.warm) {
		return m.figures, ctx.Err()
	}
	before, err := m.read()
	if err != nil {
		return m.figures, err
	}
	if err := m.watch(ctx); err != nil {
		return m.figures, err
	}
	after, err := m.read()
	if err != nil {
		return m.figures, err
	}
	m.compare(before, after)
	if m.run.crash {
		return m.figures, m.crash(cancel, &sender)
	}
	cancel()
	sender.Wait()
	return m.figures, m.settle(ctx)
}

// watch waits for the time of the measurement and notes the largest RSS.
func (m *measurement) watch(ctx context.Context) error {
	var profiled sync.WaitGroup
	defer profiled.Wait()
	if m.run.profile != "" {
		profiled.Go(func() {
			if err := m.collector.profile(ctx, m.run.profile, int(m.run.measured.Seconds())-1); err != nil {
				fmt.Fprintln(os.Stderr, "no profile:", err)
			}
		})
	}
	for end := time.Now().Add(m.run.measured); time.Now().Before(end); {
		if !sleep(ctx, min(time.Second, time.Until(end))) {
			return ctx.Err()
		}
		rss, err := m.collector.status("VmRSS")
		if err != nil {
			return err
		}
		anonymous, err := m.collector.status("RssAnon")
		if err != nil {
			return err
		}
		m.figures.RSSMiB = max(m.figures.RSSMiB, rss)
		m.figures.AnonymousMiB = max(m.figures.AnonymousMiB, anonymous)
	}
	return nil
}

func (m *measurement) compare(before, after reading) {
	f := &m.figures
	spans := float64(after.spans - before.spans)
	f.SpansPerSecond = spans / after.at.Sub(before.at).Seconds()
	f.CPUMicroseconds = float64((after.cpu - before.cpu).Microseconds()) / spans
	f.SpansPerCore = spans / (after.cpu - before.cpu).Seconds()
	f.GeneratorMicros = float64((after.own - before.own).Microseconds()) / spans
	if m.run.processor.name != "seqlink" {
		return
	}
	f.LagP99 = after.telemetry.quantile(metricPrefix+"flush_lag", 0.99, before.telemetry)
	f.HeldSpans = after.telemetry.sum(metricPrefix + "spans_held")
	f.KnownSpans = after.telemetry.sum(metricPrefix + "index_spans")
	f.IndexBytes = after.telemetry.sum(metricPrefix+"index_size") / f.KnownSpans
	f.DiskBytesPerSpan = float64(diskBytes(filepath.Join(m.collector.dir, "window"))) / f.HeldSpans
}

// settle waits until everything left and checks the sums.
func (m *measurement) settle(ctx context.Context) error {
	f := &m.figures
	last, quiet := m.sink.Spans.Load(), 0
	held := window(m.run.processor)
	// A processor that is far behind is not waited for to the end.
	for deadline := time.Now().Add(held + maxSettle); quiet < 15+int(held/time.Second) && time.Now().Before(deadline); {
		if !sleep(ctx, time.Second) {
			return ctx.Err()
		}
		if n := m.sink.Spans.Load(); n != last {
			last, quiet = n, 0
		} else {
			quiet++
		}
		if m.missing() == 0 {
			break
		}
	}
	f.Sent, f.Refused, f.Lost = m.sender.Sent.Load(), m.sender.Refused.Load(), m.missing()
	result := m.sink.Result()
	f.Checked, f.Right = result.Complete, result.Right
	return m.collector.stop(os.Interrupt)
}

// missing returns how many of the spans that were acknowledged did not come, where
// duplicates need not.
func (m *measurement) missing() int64 {
	missing := int64(m.sender.Sent.Load()) - int64(m.sink.Spans.Load())
	if m.run.processor.name == "seqlink" {
		telemetry, err := m.collector.scrape()
		if err == nil {
			missing -= int64(telemetry.sum(metricPrefix + "spans_duplicate"))
		}
	}
	return missing
}

// crash kills the collector and measures how long the next one takes to be ready.
func (m *measurement) crash(stopSender context.CancelFunc, sender *sync.WaitGroup) error {
	if err := m.collector.cmd.Process.Kill(); err != nil {
		return err
	}
	<-m.collector.exited
	stopSender()
	sender.Wait()
	again, err := startCollector(m.run.binary, m.collector.dir, m.sink.Endpoint, m.run.processor, m.run.memoryLimit)
	if err != nil {
		return err
	}
	telemetry, err := again.scrape()
	m.figures.RebuildSeconds = telemetry.sum(metricPrefix + "rebuild_duration")
	return errors.Join(err, again.cmd.Process.Kill())
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// machine describes where the figures are from.
func machine() string {
	model := "unknown processor"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		model = fieldOf(string(info), "model name")
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%d × %s, Linux %s, %s", runtime.NumCPU(), model, trim(string(kernel)), runtime.Version())
}
