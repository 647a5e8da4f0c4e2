package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/seqlink/seqlink/examples/run"
	"github.com/seqlink/seqlink/test/accuracy/score"
	"github.com/seqlink/seqlink/test/internal/collector"
)

const (
	// quiet is how long no span may come before the rest counts as missing: longer than
	// the linker's window and causality's wait.
	quiet = 12 * time.Second
	// firstToken has as many digits as all that follow.
	firstToken = 100_000
)

// runner runs workloads.
type runner struct {
	*options
	programs *programs
	dir      string
	// load is held by the only run that has load at a time, so that runs do not disturb
	// each other while others start or end.
	load  sync.Mutex
	mutex sync.Mutex
	cells []*cell
	errs  []error
}

func (o *options) runAll(ctx context.Context) (_ []*cell, err error) {
	if missing := run.Missing(); len(missing) > 0 {
		return nil, fmt.Errorf("this machine cannot be traced; missing: %v", missing)
	}
	sources, err := absolute(o.programs)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "seqlink-accuracy-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for temporary files: %w", err)
	}
	defer func() {
		if err == nil || ctx.Err() != nil {
			err = errors.Join(err, os.RemoveAll(dir))
			return
		}
		progress("logs are kept in %s", dir)
	}()
	if err := os.Chmod(dir, 0o755); err != nil { // nginx's worker is another user
		return nil, err
	}
	r := &runner{options: o, programs: &programs{sources: sources, built: filepath.Join(dir, "built")}, dir: dir}
	if err := os.MkdirAll(r.programs.built, 0o755); err != nil {
		return nil, err
	}
	if o.record != "" {
		if o.record, err = absolute(o.record); err != nil {
			return nil, err
		}
		if err := os.MkdirAll(o.record, 0o755); err != nil {
			return nil, err
		}
	}
	return r.all(ctx)
}

func (r *runner) all(ctx context.Context) ([]*cell, error) {
	var group sync.WaitGroup
	slots := make(chan struct{}, r.parallel)
	for i := range r.workloads {
		w := &r.workloads[i]
		if !r.workload.MatchString(w.name) {
			continue
		}
		for _, reuse := range r.reuse {
			if !w.offers(reuse) {
				continue
			}
			slots <- struct{}{}
			group.Go(func() {
				defer func() { <-slots }()
				if err := r.workloadCells(ctx, w, reuse); err != nil {
					r.failed(fmt.Errorf("%s, reuse %s: %w", w.name, onOff(reuse), err))
				}
			})
		}
	}
	group.Wait()
	return r.cells, errors.Join(append(r.errs, ctx.Err())...)
}

// failed prints all of an error, with the end of a program's log, and keeps its first line.
func (r *runner) failed(err error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	progress("%v", err)
	first, _, _ := strings.Cut(err.Error(), "\n")
	r.errs = append(r.errs, errors.New(first))
}

// workloadCells starts a workload's services and runs its cells one after another, each with
// a collector of its own that has learned nothing yet.
func (r *runner) workloadCells(ctx context.Context, w *workload, reuse bool) (err error) {
	if ctx.Err() != nil {
		return nil
	}
	dir, err := os.MkdirTemp(r.dir, w.name+"-")
	if err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	marker := "SEQLINK_RUN_" + rand.Text()
	chain, err := run.StartChain(ctx, dir, marker, r.programs.hops(w, reuse)...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, chain.Stop()) }()
	for _, inFlight := range r.inFlight {
		c := &cell{Workload: w.name, InFlight: inFlight, Reuse: reuse, wanted: w.wanted}
		one := cellRun{runner: r, cell: c, workload: w, chain: chain, marker: marker}
		if one.dir, err = os.MkdirTemp(dir, "collector-"); err != nil {
			return err
		}
		if err := one.run(ctx); err != nil {
			return fmt.Errorf("%d in flight: %w", inFlight, err)
		}
		r.mutex.Lock()
		r.cells = append(r.cells, c)
		progress("%s", c)
		r.mutex.Unlock()
	}
	return nil
}

// cellRun is a cell that is being run.
type cellRun struct {
	*runner
	cell     *cell
	workload *workload
	chain    *run.Chain
	marker   string
	dir      string
}

func (c *cellRun) run(ctx context.Context) (err error) {
	sink, err := run.StartSink()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sink.Close()) }()
	agent, err := c.startCollector(ctx, sink)
	if err != nil {
		return err
	}
	defer func() {
		if agent != nil {
			err = errors.Join(err, agent.Stop())
		}
	}()
	before, err := collector.CPU(agent.PID())
	if err != nil {
		return err
	}
	t := c.traffic()
	if err := c.send(ctx, t); err != nil {
		return err
	}
	sent := t.Warm + t.Requests
	_ = sink.AwaitThose(ctx, sent*c.workload.plan().Spans(), quiet, score.OfRequest) // what is missing is counted below
	after, err := collector.CPU(agent.PID())
	if err != nil {
		return err
	}
	c.cell.CPUMicros = float64((after - before).Microseconds()) / float64(sent)
	if c.cell.Losses, err = agent.Losses(ctx); err != nil {
		return err
	}
	err, agent = agent.Stop(), nil
	if err != nil {
		return err
	}
	c.cell.score(sink.All(), c.workload.plan(), t)
	if c.record != "" {
		return c.describe(t)
	}
	return nil
}

// startCollector selects the services by the variable that only they have, and by their ids
// because some overwrite their environment.
func (c *cellRun) startCollector(ctx context.Context, sink *run.Sink) (*run.Collector, error) {
	receiver := map[string]any{
		"processes": map[string]any{"env": []string{c.marker}, "pids": c.chain.PIDs()},
		"http":      map[string]any{"query": "keep"}, "redis": map[string]any{"query": "keep"}, "postgresql": map[string]any{"query": "keep"}, "mysql": map[string]any{"query": "keep"},
		"budget": map[string]any{"overload": "drop"},
	}
	if c.workload.payload > 0 {
		receiver["payload_size"] = c.workload.payload
	}
	if c.record != "" {
		path := c.recording()
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		receiver["record"], receiver["record_payload"] = path, true
	}
	return run.StartCollector(ctx, run.CollectorConfig{
		Binary: c.binary, Dir: c.dir, Receiver: receiver, Window: c.window.String(),
		Exporters: map[string]any{"otlp_http": sink.OTLPHTTP()},
	})
}

// traffic is less where little is in flight, as that takes long and is easy.
func (c *cellRun) traffic() *traffic {
	requests := min(c.requests, 150*c.cell.InFlight)
	if c.workload.requests > 0 {
		requests = min(requests, c.workload.requests)
	}
	warm := requests / 4
	return &traffic{Warm: warm, First: firstToken + warm, Requests: requests}
}

// attached is the time in which the receiver has attached the probes that the first requests made it
// want. How many requests fit in there depends on the machine.
const attached = 300 * time.Millisecond

// send puts the load on, every request of which must be answered with its token.
func (c *cellRun) send(ctx context.Context, t *traffic) error {
	c.load.Lock()
	defer c.load.Unlock()
	client := run.NewClosingClient()
	if c.cell.Reuse {
		client = run.NewClient(c.cell.InFlight)
	}
	defer client.Close()
	load := run.Load{URL: "http://" + c.chain.Address + "/request?truth=", InFlight: c.cell.InFlight}
	for i, part := range []struct{ first, requests int }{{t.First - t.Warm, t.Warm}, {t.First, t.Requests}} {
		if i > 0 {
			time.Sleep(attached)
		}
		load.First, load.Requests = part.first, part.requests
		outcome := client.Send(ctx, load)
		if err := errors.Join(outcome.Errors...); err != nil {
			return fmt.Errorf("%d requests failed, the first with: %w", len(outcome.Errors), outcome.Errors[0])
		}
	}
	return errors.Join(c.chain.Ended(), ctx.Err())
}
