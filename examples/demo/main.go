// Command demo shows Seqlink at work on this machine: it starts the example
// services, traces them from the kernel, puts load on and prints their traces. Where
// the kernel cannot be watched it shows a recording instead.
//
// It ends what it starts and removes what it writes, also when interrupted. Its exit
// status is 0 only if at least one complete trace was printed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/seqlink/seqlink/examples/run"
)

type options struct {
	bin, examples, recording string
	backend, jaegerBin       string
	record                   string
	seconds                  int
}

const (
	backendTree   = "tree"
	backendJaeger = "jaeger"
)

func parseOptions() (options, error) {
	var o options
	flag.StringVar(&o.bin, "bin", "bin/otelcol-seqlink", "the collector")
	flag.StringVar(&o.examples, "examples", "examples", "the folder of the example services")
	flag.StringVar(&o.backend, "backend", backendTree, "tree (the terminal) or jaeger")
	flag.StringVar(&o.jaegerBin, "jaeger-bin", "bin/jaeger", "the Jaeger v2 to start for -backend jaeger")
	flag.IntVar(&o.seconds, "seconds", 10, "how long the load lasts")
	flag.StringVar(&o.recording, "recording", "receiver/ebpfspanreceiver/testdata/chain.jsonl.gz", "what to show where the kernel cannot be watched")
	flag.StringVar(&o.record, "record", "", "also write what the kernel showed to this recording")
	flag.Parse()
	if o.backend != backendTree && o.backend != backendJaeger {
		return o, fmt.Errorf("-backend: %q is not known: give tree or jaeger", o.backend)
	}
	if o.seconds < 1 {
		return o, fmt.Errorf("-seconds: %d is too short: give 1 or more", o.seconds)
	}
	return o, nil
}

func main() {
	if err := demo(); err != nil {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		os.Exit(1)
	}
}

func demo() (err error) {
	o, err := parseOptions()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	dir, err := os.MkdirTemp("", "seqlink-demo-")
	if err != nil {
		return fmt.Errorf("make a folder for temporary files: %w", err)
	}
	// nginx's worker may be another user.
	err = errors.Join(os.Chmod(dir, 0o755), show(ctx, o, dir))
	if err != nil && ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	return errors.Join(err, os.RemoveAll(dir))
}

func show(ctx context.Context, o options, dir string) error {
	missing := run.Missing()
	if len(missing) == 0 {
		return live(ctx, o, dir)
	}
	fmt.Println("The kernel of this machine cannot be watched. What is missing:")
	for _, m := range missing {
		fmt.Println("  -", m)
	}
	return replay(ctx, o, dir)
}
