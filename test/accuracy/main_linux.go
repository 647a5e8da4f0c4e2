// Command accuracy measures how right the links between calls and requests are. It starts
// real programs that hand a token on with each call, traces them with Seqlink under load,
// and compares the traces with the tokens. It prints a table and writes a JSON file.
//
// With -record it keeps what the kernel showed of each run; with -replay it scores such
// recordings again, without privileges and without running anything else.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/seqlink/seqlink/test/internal/collector"
)

// options are the command's flags.
type options struct {
	binary, programs, out, page string
	// workloads are those of the names that match workload.
	workloads          []workload
	workload           *regexp.Regexp
	inFlight           []int
	reuse              []bool
	requests, parallel int
	window             time.Duration
	record, replay     string
	// whole says that nothing was left out.
	whole bool
}

// allInFlight are the numbers in flight that the page has.
const allInFlight = "1,4,16,64,256"

func parseOptions(arguments []string) (o options, err error) {
	o.workloads = workloads
	flags := flag.NewFlagSet("accuracy", flag.ContinueOnError)
	flags.StringVar(&o.binary, "bin", "bin/otelcol-seqlink", "collector that is measured")
	flags.StringVar(&o.programs, "programs", "test/accuracy/programs", "folder of the programs that are traced")
	flags.StringVar(&o.out, "out", "build/accuracy.json", "file for the figures")
	flags.StringVar(&o.page, "page", "", "page whose table is written anew, between its markers")
	flags.IntVar(&o.requests, "requests", 1200, "most requests that are scored of a run; fewer with few in flight")
	flags.IntVar(&o.parallel, "parallel", 3, "workloads under way at once; only one of them has load at a time")
	flags.DurationVar(&o.window, "window", 2*time.Second, "how long the linker waits")
	flags.StringVar(&o.record, "record", "", "folder that takes a recording of each run")
	flags.StringVar(&o.replay, "replay", "", "folder of recordings to score, in place of running programs")
	workload := flags.String("workload", "", "regular expression for the names of the workloads to run")
	inFlight := flags.String("in-flight", allInFlight, "requests in flight")
	reuse := flags.String("reuse", "both", "connections are used again: on, off or both")
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	if o.workload, err = regexp.Compile(*workload); err != nil {
		return o, fmt.Errorf("-workload: %w", err)
	}
	if o.reuse = map[string][]bool{"on": {true}, "off": {false}, "both": {true, false}}[*reuse]; o.reuse == nil {
		return o, fmt.Errorf("-reuse: %q is none of on, off and both", *reuse)
	}
	for text := range strings.SplitSeq(*inFlight, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return o, fmt.Errorf("-in-flight: %q is no number of requests", text)
		}
		o.inFlight = append(o.inFlight, n)
	}
	o.whole = *workload == "" && *inFlight == allInFlight && len(o.reuse) == 2 && o.replay == ""
	if o.requests < 1 || o.parallel < 1 {
		return o, errors.New("-requests and -parallel: give 1 or more")
	}
	return o, nil
}

func main() {
	o, err := parseOptions(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "accuracy:", err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err = o.run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "accuracy:", err)
		os.Exit(1)
	}
}

// report is what is written.
type report struct {
	Machine string    `json:"machine"`
	Date    time.Time `json:"date"`
	Command string    `json:"command"`
	Cells   []*cell   `json:"cells"`
}

func (o *options) run(ctx context.Context) error {
	r := &report{Machine: collector.Machine(), Date: time.Now().UTC(), Command: strings.Join(os.Args[1:], " ")}
	var err error
	if o.replay != "" {
		r.Cells, err = o.replayAll(ctx)
	} else {
		r.Cells, err = o.runAll(ctx)
	}
	r.sort()
	r.print(os.Stdout)
	err = errors.Join(err, r.write(o.out))
	switch {
	case o.page == "" || err != nil:
	case !o.whole:
		progress("%s is left as it is: this was a part", o.page)
	default:
		err = r.writePage(o.page)
	}
	return errors.Join(err, r.broken())
}

// broken returns an error if the figures of a run say nothing, because spans or services
// were lost.
func (r *report) broken() error {
	var errs []error
	for _, c := range r.Cells {
		if c.Broken != "" {
			errs = append(errs, fmt.Errorf("%s: %s", c.name(), c.Broken))
		}
	}
	return errors.Join(errs...)
}

func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, "==> "+format+"\n", args...) }

// absolute is for programs that run elsewhere.
func absolute(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find %s: %w", path, err)
	}
	return path, nil
}
