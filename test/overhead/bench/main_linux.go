// Command bench measures what tracing costs: servers under full load without an agent,
// with empty programs at the agent's hooks, and with full capture, in turns in one run.
// It prints a table and writes a JSON file.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/seqlink/seqlink/test/internal/collector"
)

// options are the command's flags.
type options struct {
	binary, out, servers string

	rounds         int
	warm, measured time.Duration
	connections    int
	rate           float64
	steady         time.Duration
	governor       time.Duration
	overload       float64
	pin            bool
}

// report is what is written.
type report struct {
	Machine string    `json:"machine"`
	Date    time.Time `json:"date"`
	Command string    `json:"command"`

	Servers map[string]*comparison `json:"servers"`
	// Nginx and its like repeat Servers at the top, where scripts look for them.
	Nginx *comparison `json:"nginx,omitempty"`
	Redis *comparison `json:"redis,omitempty"`
	Go    *comparison `json:"go,omitempty"`
	Node  *comparison `json:"node,omitempty"`

	// Agent is the agent at a steady rate.
	Agent *steadyFigures `json:"agent,omitempty"`
	// Governor is the agent with a budget of a part of what it would use.
	Governor *governorFigures `json:"governor,omitempty"`
	// Unexplained counts requests for which there is neither a span nor a counted loss, and
	// spans beyond the requests, over all runs.
	Unexplained float64 `json:"losses_unexplained"`
}

func main() {
	var o options
	flag.StringVar(&o.binary, "bin", "bin/otelcol-seqlink", "collector that is measured")
	flag.StringVar(&o.out, "out", "build/bench/overhead.json", "file for the figures")
	flag.StringVar(&o.servers, "servers", strings.Join(serverNames, ","), "servers that are traced")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds; figures are medians")
	flag.DurationVar(&o.warm, "warm", time.Second, "load before each measurement")
	flag.DurationVar(&o.measured, "measured", 4*time.Second, "length of each measurement")
	flag.IntVar(&o.connections, "connections", 32, "kept connections of the load")
	flag.Float64Var(&o.rate, "rate", 20_000, "requests per second of the steady phase; 0 leaves it out")
	flag.DurationVar(&o.steady, "steady", 20*time.Second, "length of the steady phase")
	flag.DurationVar(&o.governor, "governor", time.Minute, "length of the governor phase; 0 leaves it out")
	flag.Float64Var(&o.overload, "overload", 5, "how many times its budget the agent would use in the governor phase")
	flag.BoolVar(&o.pin, "pin", runtime.NumCPU() > 1, "keep a server with one thread and its load on a CPU each")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := o.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (o *options) run(ctx context.Context) (err error) {
	if o.binary, err = filepath.Abs(o.binary); err != nil { // collectors run elsewhere
		return err
	}
	r := &report{
		Machine: collector.Machine(), Date: time.Now().UTC(), Command: strings.Join(os.Args[1:], " "),
		Servers: map[string]*comparison{},
	}
	for name := range strings.SplitSeq(o.servers, ",") {
		if name == "" {
			continue // -servers '' leaves all out
		}
		if !slices.Contains(serverNames, name) {
			return fmt.Errorf("-servers: %q is not one of %s", name, strings.Join(serverNames, ", "))
		}
		if r.Servers[name], err = o.compare(ctx, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		r.Unexplained += r.Servers[name].Unexplained
	}
	r.Nginx, r.Redis, r.Go, r.Node = r.Servers["nginx"], r.Servers["redis"], r.Servers["go"], r.Servers["node"]
	if o.rate > 0 && r.Nginx != nil {
		if r.Agent, err = o.steadily(ctx); err != nil {
			return fmt.Errorf("steady: %w", err)
		}
		r.Unexplained += r.Agent.Unexplained
	}
	if o.governor > 0 {
		if r.Governor, err = o.govern(ctx); err != nil {
			return fmt.Errorf("governor: %w", err)
		}
	}
	r.print(os.Stdout)
	return errors.Join(r.write(o.out), ctx.Err())
}

func (r *report) write(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(data, '\n'), 0o644)
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, "==> "+format+"\n", args...) }
