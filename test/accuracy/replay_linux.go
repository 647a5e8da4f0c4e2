package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/seqlink/seqlink/examples/run"
	"github.com/seqlink/seqlink/processor/seqlinkprocessor"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver"
	"github.com/seqlink/seqlink/test/accuracy/score"
)

const (
	recordingSuffix   = ".jsonl.gz"
	descriptionSuffix = ".json"
)

// description stands beside a recording and says what was recorded.
type description struct {
	Workload string     `json:"workload"`
	InFlight int        `json:"in_flight"`
	Reuse    bool       `json:"reuse"`
	Plan     score.Plan `json:"plan"`
	Traffic  *traffic   `json:"traffic"`
	// Spans is how many spans the whole traffic makes, without services' own calls.
	Spans int `json:"spans"`
}

func (c *cellRun) recording() string {
	return filepath.Join(c.record, c.cell.name()+recordingSuffix)
}

func (c *cellRun) describe(t *traffic) error {
	plan := c.workload.plan()
	data, err := json.MarshalIndent(description{
		c.cell.Workload, c.cell.InFlight, c.cell.Reuse, plan, t, (t.Warm + t.Requests) * plan.Spans(),
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(c.record, c.cell.name()+descriptionSuffix), append(data, '\n'), 0o644)
}

// replayAll scores the recordings in a folder.
func (o *options) replayAll(ctx context.Context) (cells []*cell, err error) {
	paths, err := filepath.Glob(filepath.Join(o.replay, "*"+descriptionSuffix))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		d, err := readDescription(path)
		if err != nil {
			return cells, err
		}
		if !o.workload.MatchString(d.Workload) || !slices.Contains(o.inFlight, d.InFlight) || !slices.Contains(o.reuse, d.Reuse) {
			continue
		}
		c, err := o.replayCell(ctx, path, d)
		if err != nil {
			return cells, fmt.Errorf("%s: %w", path, err)
		}
		cells = append(cells, c)
		progress("%s", c)
	}
	if len(cells) == 0 {
		return nil, fmt.Errorf("-replay: %s has no recording that was asked for", o.replay)
	}
	return cells, ctx.Err()
}

// replayCell scores the recording that is described in a file.
func (o *options) replayCell(ctx context.Context, path string, d description) (*cell, error) {
	spans, err := o.replayOne(ctx, strings.TrimSuffix(path, descriptionSuffix)+recordingSuffix)
	if err != nil {
		return nil, err
	}
	c := &cell{Workload: d.Workload, InFlight: d.InFlight, Reuse: d.Reuse, wanted: wantedOf(d.Workload)}
	c.score(spans, d.Plan, d.Traffic)
	return c, nil
}

func readDescription(path string) (d description, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(data, &d); err != nil {
		return d, fmt.Errorf("read %s: %w", path, err)
	}
	return d, nil
}

func wantedOf(name string) wanted {
	for _, w := range workloads {
		if w.name == name {
			return w.wanted
		}
	}
	return wanted{}
}

// replayOne plays a recording through the receiver and the linker.
func (o *options) replayOne(ctx context.Context, path string) ([]run.Span, error) {
	var linked run.Spans
	linker, err := newLinker(ctx, &linked)
	if err != nil {
		return nil, err
	}
	factory := ebpfspanreceiver.NewFactory()
	config := factory.CreateDefaultConfig().(*ebpfspanreceiver.Config)
	config.Replay, config.HTTP.Query = path, "keep"
	config.Redis.Query, config.PostgreSQL.Query, config.MySQL.Query = "keep", "keep", "keep"
	player, err := factory.CreateTraces(ctx, receivertest.NewNopSettings(factory.Type()), config, linker)
	if err != nil {
		return nil, err
	}
	host := newReplayHost()
	if err := host.start(ctx, linker, player); err != nil {
		return nil, err
	}
	err = host.await(ctx)
	// The linker hands over what waits.
	err = errors.Join(err, player.Shutdown(ctx), linker.Shutdown(ctx))
	return linked.All(), err
}

func newLinker(ctx context.Context, to *run.Spans) (processor.Traces, error) {
	sink, err := consumer.NewTraces(func(_ context.Context, traces ptrace.Traces) error {
		to.Add(traces)
		return nil
	})
	if err != nil {
		return nil, err
	}
	factory := seqlinkprocessor.NewFactory()
	config := factory.CreateDefaultConfig()
	return factory.CreateTraces(ctx, processortest.NewNopSettings(factory.Type()), config, sink)
}
