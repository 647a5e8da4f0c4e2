// Command score hides the references of traces in Jaeger's JSON, lets the
// statistical rung find them again, and says how often it was right.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/causality/statistical"
)

func main() {
	path := flag.String("traces", "", "folder of Jaeger JSON files, or a .tar.xz archive of them")
	compress := flag.String("compress", "1,4,16", "factors by which the starts of traces are moved together")
	out := flag.String("out", "build/accuracy-traces.json", "where the result is written")
	exact := flag.Float64("exact", 0, "share of the links, 0 to 1, that the rung is told, as if stronger evidence had decided them")
	cpu := flag.Float64("max-cpu", 0, "bound of the rung's time of processors, in cores of the traces' time; 0 is none")
	flag.Parse()
	if err := run(*path, *compress, *out, replayer{exact: *exact, options: statistical.Options{MaxCPU: *cpu}}); err != nil {
		fmt.Fprintln(os.Stderr, "accuracy-traces:", err)
		os.Exit(1)
	}
}

func run(path, compress, out string, r replayer) error {
	if path == "" {
		return fmt.Errorf("no traces: give TRACES=<folder or .tar.xz> with traces in Jaeger's JSON (what Jaeger's UI saves, " +
			`{"data": [...]}, one or more in a file that ends in .json)`)
	}
	factors, err := parseFactors(compress)
	if err != nil {
		return err
	}
	traces, err := readTraces(path)
	if err != nil {
		return err
	}
	fmt.Printf("%d traces of %s\n\n", len(traces), path)
	fmt.Println("compress   links   right   traces right   sure (>= 0.9)   of them right   calibration error   undecided   links/s/core")
	cells := make([]cell, 0, len(factors))
	for _, f := range factors {
		c := score(traces, f, r)
		if c.Links == 0 {
			return fmt.Errorf("%s: no trace in it has a client span below a server span of the same process", path)
		}
		fmt.Printf("%8g %7d %6.2f%% %13.2f%% %14.2f%% %14.2f%% %19.3f %10.2f%% %14.0f\n", c.Compress, c.Links, 100*c.Right,
			100*c.Whole, 100*c.Share, 100*c.Precision, c.Calibration, 100*c.Undecided, c.PerSecond)
		cells = append(cells, c)
	}
	return write(out, cells)
}

func parseFactors(list string) ([]float64, error) {
	var factors []float64
	for text := range strings.SplitSeq(list, ",") {
		f, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil || f <= 0 {
			return nil, fmt.Errorf("COMPRESS: %q is not a number above 0; give a list such as 1,4,16", text)
		}
		factors = append(factors, f)
	}
	return factors, nil
}

func write(path string, cells []cell) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	content, err := json.MarshalIndent(map[string]any{"cells": cells}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(content, '\n'), 0o644)
}
