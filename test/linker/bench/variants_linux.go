package main

import (
	"fmt"
	"time"
)

// order is that in which variants are measured and printed.
var order = []string{"bare", linkerName, "groupbytrace", "tail_sampling"}

// linker returns the linker with a window, its store on disk, and further settings.
func linker(window time.Duration, more string) processor {
	return processor{linkerName, fmt.Sprintf("    window: %v\n    db_path: %s\n%s", window, storeDir, more), window}
}

// steady makes the linker forget names after a window, so that what it does for a span
// comes to its end soon: all of it is measured after steadyWarm.
func steady(window time.Duration) string { return fmt.Sprintf("    retention: %v\n", window) }

// steadyWarm is after how long a linker that is steady gets, hands over, and forgets at
// the same rate. Names are forgotten an eighth of the retention at a time.
func steadyWarm(window time.Duration) time.Duration { return 2*window + window/4 + warmUp }

// variant returns a processor that holds spans for a window. Stock ones get room for so
// many traces that they drop none, and not much more: groupbytrace allocates that room at
// its start, tail_sampling keeps traces it has decided on until the room is used up.
func variant(name string, window time.Duration, traces int) processor {
	switch name {
	case linkerName:
		return linker(window, steady(window))
	case "groupbytrace":
		return processor{name, fmt.Sprintf("    wait_duration: %v\n    num_traces: %d\n    num_workers: 2\n", window, traces), window}
	case "tail_sampling":
		return processor{name, fmt.Sprintf("    decision_wait: %v\n    num_traces: %d\n    policies: [{name: all, type: always_sample}]\n", window, traces), window}
	}
	return processor{}
}

// warm returns how long a variant needs until it is in a steady state.
func (p processor) warm() time.Duration {
	if p.name == linkerName {
		return steadyWarm(p.holds)
	}
	return p.holds + p.holds/2 + warmUp
}

// sendingQueue returns the exporter's queue. Stock processors hand over one trace at a time
// and rely on someone behind them to make batches; the others hand over batches.
func (p processor) sendingQueue() string {
	switch p.name {
	case "groupbytrace", "tail_sampling":
		return "{sizer: items, queue_size: 100000, block_on_overflow: true, num_consumers: 8, batch: {sizer: items, min_size: 500, max_size: 2000, flush_timeout: 200ms}}"
	}
	return "{enabled: false}"
}

// warmUp is the time in which connections are made and heaps grow.
const warmUp = 3 * time.Second
