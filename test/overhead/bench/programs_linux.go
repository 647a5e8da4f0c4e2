package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/seqlink/seqlink/test/internal/collector"
)

// programRun is how often a BPF program ran, and how long on average.
type programRun struct {
	Name        string  `json:"name"`
	Runs        float64 `json:"runs"`
	Nanoseconds float64 `json:"ns_per_run"`
}

// measurePrograms lets the kernel measure its BPF programs until stop is called.
func measurePrograms() (stop func(), err error) {
	closer, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		return nil, fmt.Errorf("let the kernel measure BPF programs: %w", err)
	}
	return func() { _ = closer.Close() }, nil
}

// programRuns returns the runs of the programs that a process holds, those first that took
// most time.
func programRuns(pid int) (all []programRun, err error) {
	dir := fmt.Sprintf("/proc/%d/fdinfo", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		text, err := os.ReadFile(dir + "/" + e.Name())
		if err != nil || collector.FieldOf(string(text), "run_cnt") == "" {
			continue // closed by now, or no program
		}
		r, err := parseProgram(string(text))
		if err != nil {
			return nil, err
		}
		if r.Runs > 0 {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b programRun) int { return int(b.Runs*b.Nanoseconds - a.Runs*a.Nanoseconds) })
	return all, nil
}

// parseProgram reads a program's /proc/PID/fdinfo (kernel/bpf/syscall.c, bpf_prog_show_fdinfo).
func parseProgram(text string) (r programRun, err error) {
	runs, err := strconv.ParseFloat(collector.FieldOf(text, "run_cnt"), 64)
	if err != nil {
		return r, err
	}
	nanoseconds, err := strconv.ParseFloat(collector.FieldOf(text, "run_time_ns"), 64)
	if err != nil {
		return r, err
	}
	id, err := strconv.ParseUint(collector.FieldOf(text, "prog_id"), 10, 32)
	if err != nil {
		return r, err
	}
	r.Runs = runs
	if runs > 0 {
		r.Nanoseconds = nanoseconds / runs
	}
	r.Name, err = programName(ebpf.ProgramID(id))
	return r, err
}

func programName(id ebpf.ProgramID) (string, error) {
	p, err := ebpf.NewProgramFromID(id)
	if err != nil {
		return "", err
	}
	defer p.Close()
	info, err := p.Info()
	if err != nil {
		return "", err
	}
	return info.Name, nil
}
