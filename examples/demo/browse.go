package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/seqlink/seqlink/examples/run"
)

// browse prints where Jaeger shows one of the traces, once it does, and leaves
// Jaeger running for a person to look.
func browse(ctx context.Context, jaeger *run.Jaeger, r *result) error {
	trace := r.report.CompleteTraces[0]
	if _, err := jaeger.Trace(ctx, trace, run.SpansPerRequest(len(r.services)), 10*time.Second); err != nil {
		return err
	}
	fmt.Printf("\nIn Jaeger: %s\n", jaeger.URL(trace))
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return nil
	}
	fmt.Println("Jaeger runs until you press Enter.")
	entered := make(chan struct{})
	go func() {
		defer close(entered)
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	}()
	select {
	case <-entered:
	case <-ctx.Done():
	case <-jaeger.Ended():
	}
	return nil
}
