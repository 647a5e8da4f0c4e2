package run

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// lossLine is one line of the receiver's metric in the Prometheus text format.
var lossLine = regexp.MustCompile(`(?m)^otelcol_ebpf_span_losses\w*\{.*?reason="([^"]*)".*\} (\S+)`)

// Losses is what the receiver says it lost, by reason.
type Losses map[string]int64

// Losses asks the collector what it lost so far.
func (c *Collector) Losses(ctx context.Context) (Losses, error) {
	body, err := get(ctx, c.metrics)
	if err != nil {
		return nil, fmt.Errorf("read the collector's metrics: %w", err)
	}
	return parseLosses(string(body))
}

// processLine is the gauge of the processes that are traced.
var processLine = regexp.MustCompile(`(?m)^otelcol_ebpf_span_processes(?:\{.*\})? (\S+)`)

// AwaitProcesses waits until the collector traces so many processes.
func (c *Collector) AwaitProcesses(ctx context.Context, processes int) error {
	return waitFor(ctx, c.Process, func(ctx context.Context) error {
		body, err := get(ctx, c.metrics)
		if err != nil {
			return fmt.Errorf("read the collector's metrics: %w", err)
		}
		match := processLine.FindSubmatch(body)
		if match == nil || string(match[1]) != strconv.Itoa(processes) {
			return fmt.Errorf("not yet %d processes are traced (%q)", processes, match)
		}
		return nil
	})
}

func parseLosses(metrics string) (Losses, error) {
	losses := Losses{}
	for _, match := range lossLine.FindAllStringSubmatch(metrics, -1) {
		value, err := strconv.ParseFloat(match[2], 64)
		if err != nil {
			return nil, fmt.Errorf("read the collector's metrics: %w", err)
		}
		losses[match[1]] += int64(value)
	}
	if len(losses) == 0 {
		return nil, errors.New("the collector's metrics do not have otelcol_ebpf_span_losses")
	}
	return losses, nil
}

// Total is the sum over all reasons.
func (l Losses) Total() int64 {
	var total int64
	for _, n := range l {
		total += n
	}
	return total
}

func (l Losses) String() string {
	if l.Total() == 0 {
		return "none"
	}
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(l)) {
		if l[reason] != 0 {
			parts = append(parts, fmt.Sprintf("%s %d", reason, l[reason]))
		}
	}
	return strings.Join(parts, ", ")
}
