package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/seqlink/seqlink/examples/run"
)

// result is what came of a live demo.
type result struct {
	report   *run.Report
	services []string
	losses   run.Losses
	// awaited tells of spans that did not come.
	awaited error
}

// whereElse follows a demo in the terminal.
const whereElse = `
See them in Jaeger:             make demo BACKEND=jaeger
Trace your own services:        SEQLINK_OTLP_ENDPOINT=HOST:4317 bin/otelcol-seqlink --config otelcol-config.yaml
`

// summary is what the trace_tree exporter writes when it ends.
type summary struct {
	Traces           int            `json:"traces"`
	Spans            int            `json:"spans"`
	LinkedSpans      int            `json:"linked_spans"`
	WithMissingLinks int            `json:"traces_with_missing_links"`
	ByMethod         map[string]int `json:"by_method"`
}

func readSummary(path string) (*summary, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the summary: %w", err)
	}
	s := &summary{}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("read the summary: %w", err)
	}
	return s, nil
}

// share is cut, not rounded, so that 100.0 % means all.
func (s *summary) share() string {
	if s.Spans == 0 {
		return "none"
	}
	permille := s.LinkedSpans * 1000 / s.Spans
	return fmt.Sprintf("%d.%d %%", permille/10, permille%10)
}

// print prints the summary. It fails where no trace was complete.
func (r *result) print(path string) error {
	s, err := readSummary(path)
	if err != nil {
		return err
	}
	fmt.Printf("\nSummary\n  traces   %d, for %d requests; %d of them are complete with every parent right (%d spans in %d services)\n",
		s.Traces, r.report.Requests, r.report.Complete, run.SpansPerRequest(len(r.services)), len(r.services))
	fmt.Printf("  spans    %d, %s linked\n  losses   %s\n", s.Spans, s.share(), r.losses)
	if r.awaited != nil {
		fmt.Printf("  missing  %v\n", r.awaited)
	}
	if err := r.report.Err(); err != nil {
		fmt.Printf("  faults   %v\n", err)
	}
	if r.report.Complete == 0 {
		return errors.New("no trace was complete")
	}
	return nil
}
