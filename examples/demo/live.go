package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seqlink/seqlink/examples/run"
)

const (
	rate     = 20 // requests per second
	inFlight = 4
	// window is the linker's; no trace here lasts as long as that.
	window = "2s"
	// quiet is how long no span may come before the demo stops waiting for more.
	quiet     = 8 * time.Second
	maxTraces = 3
)

// live traces the example services on this machine's kernel.
func live(ctx context.Context, o options, dir string) (err error) {
	examples, err := run.BuildExamples(ctx, o.examples, dir)
	if err != nil {
		return err
	}
	sink, err := run.StartSink()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sink.Close()) }()
	var jaeger *run.Jaeger
	if o.backend == backendJaeger {
		if jaeger, err = run.StartJaeger(ctx, o.jaegerBin, dir); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, jaeger.Stop()) }()
	}
	marker := "SEQLINK_RUN_" + rand.Text()
	chain, err := run.StartChain(ctx, dir, marker, hops(examples)...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, chain.Stop()) }()
	collector, err := startCollector(ctx, o, dir, receiver(o, marker, chain), sink, jaeger)
	if err != nil {
		return err
	}
	result, err := trace(ctx, o, chain, collector, sink)
	if err := errors.Join(err, collector.Stop(), chain.Stop()); err != nil {
		return err
	}
	if err := result.print(summaryPath(dir)); err != nil {
		return err
	}
	if jaeger != nil {
		return browse(ctx, jaeger, result)
	}
	fmt.Print(whereElse)
	return nil
}

// hops are the services of the chain as far as they are installed.
func hops(examples run.Examples) []run.Hop {
	var found []run.Hop
	for _, candidate := range []struct {
		tool string
		hop  run.Hop
	}{
		{"nginx", examples.Nginx()}, {"", examples.Go()}, {"python3", examples.Python()}, {"node", examples.Node()},
	} {
		if candidate.tool != "" {
			if _, err := run.FindTool(candidate.tool); err != nil {
				fmt.Printf("%v. The chain goes without it.\n", err)
				continue
			}
		}
		found = append(found, candidate.hop)
	}
	return found
}

// receiver selects the services by the variable that only they have, and by their
// ids because nginx's environment is gone once it runs.
func receiver(o options, marker string, chain *run.Chain) map[string]any {
	config := map[string]any{"processes": map[string]any{"env": []string{marker}, "pids": chain.PIDs()}}
	if o.record != "" {
		config["record"], config["record_payload"] = absolute(o.record), true
	}
	return config
}

func startCollector(
	ctx context.Context, o options, dir string, receiver map[string]any, sink *run.Sink, jaeger *run.Jaeger,
) (*run.Collector, error) {
	exporters := map[string]any{
		"trace_tree": map[string]any{
			"max_traces": maxTraces, "wait": "1s", "summary": true, "summary_path": summaryPath(dir),
		},
		"otlp_http": sink.OTLPHTTP(),
	}
	if jaeger != nil {
		exporters["otlp_grpc"] = jaeger.OTLPGRPC()
	}
	return run.StartCollector(ctx, run.CollectorConfig{
		Binary: o.bin, Dir: dir, Receiver: receiver, Exporters: exporters, Window: window, Stdout: os.Stdout,
	})
}

func summaryPath(dir string) string { return filepath.Join(dir, "summary.json") }

// absolute also holds for the collector, which runs in another folder.
func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		return full
	}
	return path
}

// trace puts load on and waits until its traces have come.
func trace(ctx context.Context, o options, chain *run.Chain, collector *run.Collector, sink *run.Sink) (*result, error) {
	fmt.Printf("Tracing %s for %d s at %d requests/s; the first %d traces:\n\n",
		strings.Join(chain.Services, " → "), o.seconds, rate, maxTraces)
	client := run.NewClient(inFlight)
	defer client.Close()
	outcome := client.Send(ctx, run.Load{URL: chain.URL, Rate: rate, InFlight: inFlight, Requests: rate * o.seconds, First: 1000})
	if len(outcome.Errors) > 0 {
		return nil, fmt.Errorf("%d requests were not answered, the first: %w", len(outcome.Errors), outcome.Errors[0])
	}
	awaited := sink.Await(ctx, len(outcome.IDs)*run.SpansPerRequest(len(chain.Services)), quiet)
	losses, err := collector.Losses(ctx)
	return &result{
		report: run.Check(sink.All(), outcome.IDs, chain.Services), awaited: awaited, losses: losses, services: chain.Services,
	}, err
}
