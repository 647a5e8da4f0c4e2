package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/seqlink/seqlink/test/kernels/report"
)

// boot starts a virtual machine and returns what its guest reports. Everything that the
// machine prints goes to the file console. tasks are what it does: the kernel hands
// variables that it does not know to the first program.
func boot(ctx context.Context, image string, processors int, initramfs, console string, tasks report.Tasks) (*report.Report, error) {
	log, err := os.Create(console)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	// Software emulation works wherever this runs. The guest's time is that of its
	// instructions, a nanosecond for each, and goes by at once while it only waits: so a
	// program takes about as long as on a real processor, and time limits mean the same on
	// a busy host. One thread emulates all processors: with one each, QEMU before 8.1 may
	// go on with the old code where the kernel patches its own, as it does for every probe.
	// Without cmpxchg16b: QEMU 7.2 gets it wrong when an interrupt comes in between, and
	// the kernel's memory is no more what it was.
	machine := exec.CommandContext(ctx, "qemu-system-x86_64",
		"-machine", "q35", "-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-rtc", "clock=vm",
		"-cpu", "max,cx16=off", "-smp", strconv.Itoa(processors), "-m", "2048",
		"-nographic", "-no-reboot", "-nic", "none",
		"-kernel", image, "-initrd", initramfs,
		"-append", strings.Join([]string{
			"console=ttyS0 panic=-1 loglevel=5",
			"tsc=reliable",             // other clocks are slow to emulate
			"rcupdate.rcu_expedited=1", // each probe waits for all processors, several times
			report.TasksVariable + "=" + string(tasks),
		}, " "))
	machine.Stderr = log
	out, err := machine.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := machine.Start(); err != nil {
		return nil, err
	}
	r, found := reportIn(io.TeeReader(out, log))
	err = machine.Wait()
	if found != nil {
		return nil, fmt.Errorf("%w; its console is in %s", errors.Join(found, err), console)
	}
	if r.Doing != "" {
		why := "it ended"
		if ctx.Err() != nil {
			why = "it took too long"
		}
		r.Failure = fmt.Sprintf("%s while %s; its console is in %s", why, r.Doing, console)
	}
	return r, nil
}

// reportIn reads a console to its end and returns the last report on it.
func reportIn(console io.Reader) (*report.Report, error) {
	lines := bufio.NewScanner(console)
	lines.Buffer(nil, 4<<20)
	var found *report.Report
	for lines.Scan() {
		_, text, ok := bytes.Cut(lines.Bytes(), []byte(report.Prefix))
		if !ok {
			continue
		}
		var r report.Report
		if json.Unmarshal(bytes.TrimSpace(text), &r) == nil { // else the kernel wrote in between
			found = &r
		}
	}
	if err := lines.Err(); err != nil {
		_, _ = io.Copy(io.Discard, console)
		return nil, err
	}
	if found == nil {
		return nil, errors.New("the guest ended without a report")
	}
	return found, nil
}

// summary says in one line how a kernel did.
func summary(r *report.Report) string {
	if bad := faults(r); len(bad) > 0 {
		return r.Release + ": " + strings.Join(bad, "; ")
	}
	return r.Release + ": everything works"
}

// faults says what did not work of what was tried.
func faults(r *report.Report) (bad []string) {
	if r.Failure != "" {
		bad = append(bad, r.Failure)
	}
	for _, p := range r.Programs {
		if p.Refusal != "" {
			bad = append(bad, p.Name+": "+p.Refusal)
		}
	}
	for _, s := range r.Strategies {
		for _, name := range s.Tests.Failed {
			bad = append(bad, s.Name+": "+name+" failed")
		}
		if t := s.Trace; t.Fault != "" || t.Complete != t.Requests {
			bad = append(bad, fmt.Sprintf("%s: %d of %d traces whole: %s", s.Name, t.Complete, t.Requests, t.Fault))
		}
	}
	return bad
}
