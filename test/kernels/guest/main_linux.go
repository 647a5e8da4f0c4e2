// Command guest is the first and only program of a virtual machine without disks. It
// loads Seqlink's BPF programs, runs the tests of the capture stage, traces real requests
// with the collector, prints what came of it, and switches the machine off.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seqlink/seqlink/test/kernels/report"
)

// The parts that this program plays, by its first argument.
const (
	asExaminer = "examine"
	asService  = "serve"
)

func main() {
	switch {
	case len(os.Args) > 2 && os.Args[1] == asService:
		serve(os.Args[2:])
	case len(os.Args) == 2 && os.Args[1] == asExaminer:
		printReport(examine())
	case os.Getpid() == 1:
		boot()
	default:
		fmt.Fprintln(os.Stderr, "this is the first program of a virtual machine: run `make kernels`")
		os.Exit(1)
	}
}

// boot prepares the machine, has it examined, and switches it off. The examiner is a
// process of its own: some of its packages look at /proc as soon as it starts.
func boot() {
	if err := prepare(); err != nil {
		printReport(report.Report{Release: release(), Failure: err.Error()})
	} else {
		examiner := exec.Command("/proc/self/exe", asExaminer)
		examiner.Stdout, examiner.Stderr = os.Stdout, os.Stderr
		if err := examiner.Run(); err != nil {
			fmt.Println(err)
		}
	}
	time.Sleep(100 * time.Millisecond) // for the console
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

func printReport(r report.Report) {
	line, err := json.Marshal(r)
	if err != nil {
		line = []byte(err.Error())
	}
	fmt.Printf("\n%s%s\n", report.Prefix, line)
}

func examine() report.Report {
	r := report.Report{Release: release()}
	var err error
	if wanted(report.Load) {
		begin(&r, "loading the programs")
		if r.Programs, err = loadAll(); err != nil {
			r.Failure = err.Error()
			return r
		}
	}
	if !wanted(report.Testing, report.Tracing) {
		r.Doing = ""
		return r
	}
	begin(&r, "choosing a strategy")
	r.Auto = chosen()
	for _, strategy := range []string{"fentry", "kprobe", "tracepoint"} {
		r.Strategies = append(r.Strategies, report.Strategy{Name: strategy})
		s := &r.Strategies[len(r.Strategies)-1]
		if wanted(report.Testing) {
			begin(&r, "running the tests of the capture stage: "+strategy)
			s.Tests = runTests(strategy)
		}
		if wanted(report.Tracing) {
			begin(&r, "tracing requests: "+strategy)
			s.Trace = traceRequests(strategy)
			say(fmt.Sprintf("%d of %d traced, %d lost. %s", s.Trace.Complete, s.Trace.Requests, s.Trace.Lost, s.Trace.Fault))
		}
	}
	r.Doing = ""
	return r
}

// begin says what comes next, and reports what came before.
func begin(r *report.Report, step string) {
	r.Doing = step
	say(step)
	printReport(*r)
}

func wanted(tasks ...string) bool { return report.Tasks(os.Getenv(report.TasksVariable)).Has(tasks...) }

func say(what string) { fmt.Printf("--- %s\n", what) }

func release() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Release[:])
}
