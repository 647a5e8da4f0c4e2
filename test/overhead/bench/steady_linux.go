package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seqlink/seqlink/test/internal/collector"
)

// steadyFigures are the agent's at a steady rate, where nothing is saturated.
type steadyFigures struct {
	RequestsPerSecond float64 `json:"rps"`
	SpansPerSecond    float64 `json:"spans_per_s"`
	// RSSMiB is the most of one reading a second, AnonymousMiB the most of that part of it;
	// PeakMiB is the kernel's own maximum, the agent's start included.
	RSSMiB       float64 `json:"rss_mib"`
	AnonymousMiB float64 `json:"rss_anonymous_mib"`
	PeakMiB      float64 `json:"rss_peak_mib"`

	Cores       float64            `json:"cores"`
	CPUMicros   float64            `json:"cpu_per_span_us"`
	Lost        map[string]float64 `json:"losses,omitempty"`
	Unexplained float64            `json:"losses_unexplained"`
}

// steadily traces nginx at the flag's rate.
func (o *options) steadily(ctx context.Context) (f *steadyFigures, err error) {
	s, err := startServer("nginx", o.pin)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	a, err := o.attach(full, s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.detach()) }()
	before, err := a.read(s)
	if err != nil {
		return nil, err
	}
	most := watchMemory(a.agent)
	requests, err := paced(ctx, s.address, o.rate, o.connections, o.steady)
	memory := most()
	if err != nil {
		return nil, err
	}
	after, err := a.read(s)
	if err != nil {
		return nil, err
	}
	c := comparison{Lost: map[string]float64{}}
	if err := c.account(a.agent, s, float64(requests), 0); err != nil {
		return nil, err
	}
	seconds := after.at.Sub(before.at).Seconds()
	spans := after.telemetry.Sum(metricSpans) - before.telemetry.Sum(metricSpans)
	cpu := (after.agent - before.agent).Seconds()
	f = &steadyFigures{
		RequestsPerSecond: float64(requests) / seconds, SpansPerSecond: spans / seconds,
		RSSMiB: memory.All, AnonymousMiB: memory.Anonymous, PeakMiB: after.memory.Peak,
		Cores: cpu / seconds, CPUMicros: cpu * 1e6 / spans, Lost: c.Lost, Unexplained: c.Unexplained,
	}
	progress("steady: %.0f requests/s, agent %.2f cores, %.2f µs CPU a span, %.0f MiB", f.RequestsPerSecond, f.Cores, f.CPUMicros, f.RSSMiB)
	return f, nil
}

// watchMemory reads the agent's memory once a second until most is called, which returns
// the largest readings.
func watchMemory(agent *collector.Collector) (most func() collector.Memory) {
	ended := make(chan struct{})
	largest := make(chan collector.Memory)
	go func() {
		var m collector.Memory
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				largest <- m
				return
			case <-tick.C:
			}
			if now, err := agent.Memory(); err == nil {
				m.All, m.Anonymous = max(m.All, now.All), max(m.Anonymous, now.Anonymous)
			}
		}
	}()
	return func() collector.Memory {
		close(ended)
		return <-largest
	}
}

// paced sends requests at a rate (per second) for some time, over kept connections, and
// counts the answers. Where the server is slower than that, so is the rate.
func paced(ctx context.Context, address string, rate float64, connections int, d time.Duration) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var running sync.WaitGroup
	var answered atomic.Int64
	errs := make([]error, connections)
	for i := range connections {
		running.Go(func() { errs[i] = pacedConnection(ctx, address, rate/float64(connections), &answered) })
	}
	running.Wait()
	return answered.Load(), errors.Join(errs...)
}

// burst is how many requests a connection sends before it looks at the clock again: a
// timer for each would cost more than the request.
const burst = 8

func pacedConnection(ctx context.Context, address string, rate float64, answered *atomic.Int64) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	reader, began := bufio.NewReader(conn), time.Now()
	request := fmt.Appendf(nil, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", address)
	for sent := 0; ctx.Err() == nil; sent++ {
		if sent%burst == 0 {
			time.Sleep(time.Until(began.Add(time.Duration(float64(sent) / rate * float64(time.Second)))))
		}
		if _, err := conn.Write(request); err != nil {
			return err
		}
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, response.Body)
		if err := errors.Join(err, response.Body.Close()); err != nil {
			return err
		}
		answered.Add(1)
	}
	return nil
}
