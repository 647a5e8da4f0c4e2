// Command guest is the first and only program of a virtual machine without disks. It
// loads Seqlink's BPF programs, runs the tests of the capture stage, traces real requests
// with the collector, prints what came of it, and switches the machine off.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seqlink/seqlink/test/kernels/report"
)

// The files that the host puts into the initramfs.
const (
	collectorBinary = "/otelcol-seqlink"
	captureTests    = "/capture.test"
)

func main() {
	if len(os.Args) > 1 {
		serve(os.Args[1:])
		return
	}
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "this is the first program of a virtual machine: run `make kernels`")
		os.Exit(1)
	}
	r := report.Report{Release: release()}
	if err := examine(&r); err != nil {
		r.Failure = err.Error()
	}
	line, err := json.Marshal(r)
	if err != nil {
		line = []byte(err.Error())
	}
	fmt.Printf("\n%s%s\n", report.Prefix, line)
	time.Sleep(100 * time.Millisecond) // for the console
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

func examine(r *report.Report) (err error) {
	if err := prepare(); err != nil {
		return err
	}
	say("loading the programs")
	if r.Programs, err = loadAll(); err != nil {
		return err
	}
	say("running the tests of the capture stage")
	r.Tests = runTests()
	say("tracing requests")
	r.Traces = []report.Trace{traceRequests("tracepoint")}
	return nil
}

func say(what string) { fmt.Printf("--- %s\n", what) }

func release() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Release[:])
}
