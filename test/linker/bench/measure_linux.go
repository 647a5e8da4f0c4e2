package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/seqlink/seqlink/test/internal/collector"
	"github.com/seqlink/seqlink/test/linker/load"
	"github.com/seqlink/seqlink/test/linker/sink"
)

// run is one measurement of one collector.
type run struct {
	binary      string
	environment []string
	processor   processor
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
	// end says what comes after the measurement.
	end ending
}

// ending is what comes after the measurement.
type ending int

const (
	// settled: nothing more is sent, everything is waited for and compared with what was
	// sent.
	settled ending = iota
	// dropped: the collector is killed.
	dropped
	// restarted: it is killed and started again with the same store.
	restarted
)

// figures are what a run gave.
type figures struct {
	SpansPerSecond   float64 `json:"spans_per_s"`
	CPUMicroseconds  float64 `json:"cpu_us_per_span"`
	SpansPerCore     float64 `json:"spans_per_core_s"`
	RSSMiB           float64 `json:"rss_mib"`
	AnonymousMiB     float64 `json:"rss_anonymous_mib"`
	FileMiB          float64 `json:"rss_file_mib"`
	PeakMiB          float64 `json:"rss_peak_mib"`
	LagP99           float64 `json:"flush_lag_p99_s,omitempty"`
	HeldSpans        float64 `json:"held_spans,omitempty"`
	KnownSpans       float64 `json:"known_spans,omitempty"`
	IndexBytes       float64 `json:"index_bytes_per_known_span,omitempty"`
	DiskBytesPerSpan float64 `json:"disk_bytes_per_held_span,omitempty"`
	RebuildSeconds   float64 `json:"rebuild_s,omitempty"`
	RebuiltSpans     float64 `json:"rebuilt_spans,omitempty"`
	Sent             uint64  `json:"spans_sent"`
	Duplicates       uint64  `json:"spans_sent_twice"`
	Refused          uint64  `json:"spans_refused"`
	Rejected         uint64  `json:"spans_rejected"`
	Lost             int64   `json:"spans_lost"`
	Repeated         uint64  `json:"checked_spans_repeated"`
	Checked          int     `json:"traces_checked"`
	Complete         int     `json:"traces_complete"`
	Right            int     `json:"traces_right"`
	GeneratorMicros  float64 `json:"generator_and_sink_cpu_us_per_span"`
}

// maxSettle is how long what was sent may take to come out, beyond the time for which
// the processor holds it.
const maxSettle = 30 * time.Second

const (
	linkerName   = "seqlink"
	metricPrefix = "otelcol_processor_seqlink_"
	// storeDir is the linker's store in the collector's working directory.
	storeDir = "window"
)

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
	c, endpoint, err := r.start(dir, backend.Endpoint)
	if err != nil {
		return f, err
	}
	defer c.Kill()
	mix := load.DefaultMix
	mix.LateMin, mix.LateMax = min(mix.LateMin, r.late), min(mix.LateMax, r.late)
	m := measurement{run: r, collector: c, dir: dir, sink: backend, sender: &load.Sender{
		Endpoint: endpoint, Rate: r.rate, BatchSpans: 500, InFlight: 4, First: r.first, Mix: mix,
	}}
	return m.measure(ctx)
}

// start runs the collector of r in dir, and returns the address where it takes spans.
func (r *run) start(dir, backend string) (c *collector.Collector, endpoint string, err error) {
	o := collector.Options{
		Binary: r.binary, Dir: dir, Environment: r.environment,
		Ready: collector.FreeAddress(), Metrics: collector.FreeAddress(), Pprof: collector.FreeAddress(),
	}
	o.Config = r.processor.collectorConfig(o, backend)
	c, err = collector.Start(o)
	return c, o.Ready, err
}

// measurement is a run under way.
type measurement struct {
	run       *run
	collector *collector.Collector
	dir       string
	sink      *sink.Sink
	sender    *load.Sender
	figures   figures
}

// reading is the state of all counters at one time.
type reading struct {
	at        time.Time
	cpu, own  time.Duration
	spans     uint64
	telemetry collector.Metrics
}

func (m *measurement) read() (r reading, err error) {
	r.at, r.spans, r.own = time.Now(), m.sink.Spans.Load(), ownCPU()
	r.cpu, err = m.collector.CPU()
	if err != nil {
		return r, err
	}
	r.telemetry, err = m.collector.Scrape()
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
	running, abort := context.WithCancel(ctx)
	sending, stop := context.WithCancel(ctx)
	var sender sync.WaitGroup
	sender.Go(func() { _ = m.sender.Run(running, sending) })
	defer sender.Wait()
	defer abort()
	defer stop()
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
	switch m.run.end {
	case restarted:
		m.collector.Kill()
		abort()
		sender.Wait()
		return m.figures, m.restart()
	case settled:
		stop()
		sender.Wait()
		return m.figures, m.settle(ctx)
	}
	return m.figures, nil
}

// watch waits for the time of the measurement, notes the largest RSS, and how many spans
// are held on how much disk on average.
func (m *measurement) watch(ctx context.Context) error {
	var profiled sync.WaitGroup
	defer profiled.Wait()
	if m.run.profile != "" {
		profiled.Go(func() {
			if err := m.collector.Profile(ctx, m.run.profile, int(m.run.measured.Seconds())-1); err != nil {
				fmt.Fprintln(os.Stderr, "no profile:", err)
			}
		})
	}
	var held, disk, readings float64
	for end := time.Now().Add(m.run.measured); time.Now().Before(end); readings++ {
		if !sleep(ctx, min(time.Second, time.Until(end))) {
			return ctx.Err()
		}
		if err := m.noteMemory(); err != nil {
			return err
		}
		telemetry, err := m.collector.Scrape()
		if err != nil {
			return err
		}
		held += telemetry.Sum(metricPrefix + "spans_held")
		disk += float64(collector.DiskBytes(filepath.Join(m.dir, storeDir)))
	}
	if held > 0 {
		m.figures.HeldSpans, m.figures.DiskBytesPerSpan = held/readings, disk/held
	}
	return nil
}

func (m *measurement) noteMemory() error {
	now, err := m.collector.Memory()
	f := &m.figures
	f.RSSMiB, f.AnonymousMiB, f.FileMiB = max(f.RSSMiB, now.All), max(f.AnonymousMiB, now.Anonymous), max(f.FileMiB, now.File)
	f.PeakMiB = now.Peak
	return err
}

// compare notes what happened between two readings. Where no span came, that is nothing.
func (m *measurement) compare(before, after reading) {
	f := &m.figures
	spans := float64(after.spans - before.spans)
	if spans == 0 {
		return
	}
	f.SpansPerSecond = spans / after.at.Sub(before.at).Seconds()
	f.CPUMicroseconds = float64((after.cpu - before.cpu).Microseconds()) / spans
	f.SpansPerCore = 1e6 / f.CPUMicroseconds
	f.GeneratorMicros = float64((after.own - before.own).Microseconds()) / spans
	if m.run.processor.name != linkerName {
		return
	}
	f.LagP99 = after.telemetry.Quantile(metricPrefix+"flush_lag", 0.99, before.telemetry)
	f.KnownSpans = after.telemetry.Sum(metricPrefix + "index_spans")
	if f.KnownSpans > 0 {
		f.IndexBytes = after.telemetry.Sum(metricPrefix+"index_size") / f.KnownSpans
	}
}

// settle waits until everything left and checks the sums.
func (m *measurement) settle(ctx context.Context) error {
	last, quiet := m.sink.Spans.Load(), 0
	held := m.run.processor.holds
	// A processor that is far behind is not waited for to the end.
	for deadline := time.Now().Add(held + maxSettle); m.missing() != 0 && quiet < 15+int(held/time.Second) && time.Now().Before(deadline); quiet++ {
		if !sleep(ctx, time.Second) {
			return ctx.Err()
		}
		if n := m.sink.Spans.Load(); n != last {
			last, quiet = n, 0
		}
	}
	m.count()
	return m.collector.Stop(os.Interrupt)
}

// count notes what was sent and what came.
func (m *measurement) count() {
	f := &m.figures
	f.Sent, f.Duplicates = m.sender.Sent.Load(), m.sender.Duplicates.Load()
	f.Refused, f.Rejected = m.sender.Refused.Load(), m.sender.Rejected.Load()
	f.Lost = m.missing()
	result := m.sink.Result(m.sender.Traces())
	f.Checked, f.Complete, f.Right, f.Repeated = result.Checked, result.Complete, result.Right, result.Repeated
}

// missing returns how many of the spans that were acknowledged did not come. The linker
// hands over once what was sent twice.
func (m *measurement) missing() int64 {
	missing := int64(m.sender.Sent.Load()) - int64(m.sink.Spans.Load())
	if m.run.processor.name == linkerName {
		missing -= int64(m.sender.Duplicates.Load())
	}
	return missing
}

// restart starts the collector again, after it was killed, and notes how long the linker
// took to be ready and how many of the acknowledged spans it does not have.
func (m *measurement) restart() error {
	again, _, err := m.run.start(m.dir, m.sink.Endpoint)
	if err != nil {
		return err
	}
	defer again.Kill()
	telemetry, err := again.Scrape()
	if err != nil {
		return err
	}
	f := &m.figures
	f.Sent = m.sender.Sent.Load()
	f.RebuildSeconds = telemetry.Sum(metricPrefix + "rebuild_duration")
	f.RebuiltSpans = telemetry.Sum(metricPrefix + "spans_held")
	// Some more than were acknowledged may be stored.
	f.Lost = max(0, int64(f.Sent)-int64(m.sink.Spans.Load())-int64(f.RebuiltSpans))
	return nil
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
