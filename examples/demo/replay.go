package main

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/seqlink/seqlink/examples/run"
)

// replay shows the traces of a recording, through the same pipeline.
func replay(ctx context.Context, o options, dir string) (err error) {
	fmt.Printf("So this is a recording of another machine, %s; the first %d traces:\n\n", o.recording, maxTraces)
	sink, err := run.StartSink()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sink.Close()) }()
	collector, err := startCollector(ctx, o, dir, map[string]any{"replay": absolute(o.recording)}, sink, nil)
	if err != nil {
		return err
	}
	// How many spans there are is not known, so that this ends when no more come.
	_ = sink.Await(ctx, math.MaxInt, quiet)
	losses, err := collector.Losses(ctx)
	if err := errors.Join(err, collector.Stop()); err != nil {
		return err
	}
	return printReplay(summaryPath(dir), losses)
}

func printReplay(path string, losses run.Losses) error {
	s, err := readSummary(path)
	if err != nil {
		return err
	}
	complete := s.Traces - s.WithMissingLinks
	fmt.Printf("\nSummary of the recording\n  traces   %d, %d of them with one root and no missing link\n", s.Traces, complete)
	fmt.Printf("  spans    %d, %s linked\n  losses   %s\n", s.Spans, s.share(), losses)
	if complete == 0 {
		return errors.New("no trace was complete")
	}
	return nil
}
