// Command kernels boots Debian's kernels in QEMU, loads every BPF program there, traces real
// requests with the collector and, if asked to, runs the tests of the capture stage. It prints
// a table and fails where something does not work.
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
	"strings"
	"sync"
	"time"

	"github.com/seqlink/seqlink/test/kernels/report"
)

type options struct {
	binary, dir, out, docs string
	kernels                string
	tasks                  report.Tasks
	timeout                time.Duration
	jobs                   int
}

func main() {
	var o options
	flag.StringVar(&o.binary, "bin", "bin/otelcol-seqlink", "collector that is run in the guests")
	flag.StringVar(&o.dir, "dir", "build/kernels", "folder for kernels and consoles")
	flag.StringVar(&o.out, "out", "build/kernels.json", "file for the results")
	flag.StringVar(&o.docs, "docs", "", "page whose table is written anew")
	flag.StringVar(&o.kernels, "kernels", strings.Join(names(), ","), "kernels to boot")
	flag.StringVar((*string)(&o.tasks), "tasks", report.Load+","+report.Tracing,
		"what the guests do: some of load, trace and test. The table is written where load and trace are among them")
	flag.DurationVar(&o.timeout, "timeout", time.Hour, "longest time for one kernel")
	flag.IntVar(&o.jobs, "jobs", runtime.NumCPU(), "kernels to boot at one time; each keeps one processor busy, and takes 2 GiB")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := matrix(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "kernels:", err)
		os.Exit(1)
	}
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, "==> "+format+"\n", args...) }

// matrix examines the kernels and tells what came of it.
func matrix(ctx context.Context, o options) error {
	if err := o.tasks.Validate(); err != nil {
		return err
	}
	wanted, err := choose(o.kernels)
	if err != nil {
		return err
	}
	if o.dir, err = filepath.Abs(o.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(o.dir, 0o755); err != nil {
		return err
	}
	initramfs, err := makeInitramfs(ctx, o.dir, o.binary, o.tasks)
	if err != nil {
		return err
	}
	rows, failed := examineAll(ctx, o, wanted, initramfs)
	if o.tasks.Has(report.Load) && o.tasks.Has(report.Tracing) {
		failed = append(failed, write(o, rows))
	}
	return errors.Join(append(failed, fault(rows, o.tasks))...)
}

// examineAll boots the kernels, some at one time, and returns what their guests report.
func examineAll(ctx context.Context, o options, wanted []kernel, initramfs string) (rows []row, failed []error) {
	var all sync.WaitGroup
	var mu sync.Mutex
	turns := make(chan struct{}, max(1, o.jobs))
	for _, k := range wanted {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			began := time.Now()
			r, err := examine(ctx, o, k, initramfs)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = append(failed, fmt.Errorf("%s: %w", k.name, err))
				progress("%s: %v", k.name, err)
				return
			}
			rows = append(rows, row{Kernel: k.name, Report: *r})
			progress("%s: %s (%s)", k.name, summary(r), time.Since(began).Round(time.Second))
		})
	}
	all.Wait()
	return rows, failed
}

// complete adds what earlier runs found out about other kernels, and sorts the rows.
func complete(rows []row, file string) (all []row) {
	var before []row
	if text, err := os.ReadFile(file); err == nil {
		_ = json.Unmarshal(text, &before) // of another version, or damaged: this run counts
	}
	for _, name := range names() {
		for _, r := range append(rows, before...) {
			if r.Kernel == name {
				all = append(all, r)
				break
			}
		}
	}
	return all
}

// examine boots one kernel and returns what its guest reports.
func examine(ctx context.Context, o options, k kernel, initramfs string) (*report.Report, error) {
	image, err := fetch(ctx, o.dir, k)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	return boot(ctx, image, k.processors, initramfs, filepath.Join(o.dir, k.name+".console"), o.tasks)
}

// write puts the results into files and on the screen, with those of earlier runs.
func write(o options, rows []row) error {
	rows = complete(rows, o.out)
	text, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return err
	}
	table := markdown(rows)
	fmt.Print("\n", table)
	err = os.WriteFile(o.out, append(text, '\n'), 0o644)
	if o.docs != "" {
		err = errors.Join(err, replaceTable(o.docs, table))
	}
	return err
}

// fault names the kernels on which something does not work, or was not done.
func fault(rows []row, tasks report.Tasks) error {
	var bad []string
	for _, r := range rows {
		if len(faults(&r.Report)) > 0 || !r.Did(tasks) {
			bad = append(bad, r.Kernel)
		}
	}
	if len(bad) > 0 {
		return fmt.Errorf("not everything works on %s", strings.Join(bad, ", "))
	}
	return nil
}
