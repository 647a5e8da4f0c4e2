// Package report is what a guest tells its host: how one kernel took the programs, the
// kernel tests and real requests.
package report

import (
	"fmt"
	"slices"
	"strings"
)

// Prefix begins each line of a guest's console that holds its report, as JSON. A guest
// reports before each of its steps, and at the end: if it dies, what it did before counts.
const Prefix = "SEQLINK-REPORT "

// TasksVariable is the guest's environment variable that says what it does.
const TasksVariable = "SEQLINK_TASKS"

// The guest's tasks.
const (
	// Load loads every program by itself.
	Load = "load"
	// Tracing traces requests with each strategy.
	Tracing = "trace"
	// Testing runs the tests of the capture stage with each strategy. It takes longer than all else.
	Testing = "test"
)

// Tasks are some of them, separated by commas.
type Tasks string

// Has reports whether one of some tasks is among them.
func (t Tasks) Has(some ...string) bool {
	return slices.ContainsFunc(strings.Split(string(t), ","), func(task string) bool { return slices.Contains(some, task) })
}

// Validate returns an error that names what is no task.
func (t Tasks) Validate() error {
	for task := range strings.SplitSeq(string(t), ",") {
		if !slices.Contains([]string{Load, Tracing, Testing}, task) {
			return fmt.Errorf("-tasks: %q is none of %s, %s, %s: give some of them, separated by commas", task, Load, Tracing, Testing)
		}
	}
	return nil
}

// The files that the host puts into the initramfs.
const (
	Init         = "init"
	CaptureTests = "capture.test"
	Collector    = "otelcol-seqlink"
)

// Report is about one kernel.
type Report struct {
	// Release is that of uname(2).
	Release string `json:"release"`
	// Programs are all BPF programs, in the order of their objects and names.
	Programs []Program `json:"programs"`
	// Strategies are the ways to attach programs, each tried by itself.
	Strategies []Strategy `json:"strategies"`
	// Auto is the strategy that the collector chose when it was free to.
	Auto string `json:"auto"`
	// Failure is what kept the guest from going on, empty where nothing did.
	Failure string `json:"failure,omitempty"`
	// Doing is what the guest began after this report, empty in its last one.
	Doing string `json:"doing,omitempty"`
}

// Program is a BPF program and what the verifier said.
type Program struct {
	Object  string `json:"object"`
	Name    string `json:"name"`
	Section string `json:"section"`
	// Processed is the number of instructions that the verifier went through, 0 where it
	// refused the program: then Refusal says why.
	Processed int    `json:"processed"`
	Refusal   string `json:"refusal,omitempty"`
	// Absent says that this kernel has no such hook: then nothing was loaded.
	Absent bool `json:"absent,omitempty"`
}

// Strategy is how well one way to attach programs works.
type Strategy struct {
	// Name is a value of the receiver's capture::strategy.
	Name string `json:"name"`
	// Tests are those of the capture stage.
	Tests Tests `json:"tests"`
	// Trace is a run of the whole collector.
	Trace Trace `json:"trace"`
}

// Tests counts Go tests.
type Tests struct {
	Passed int `json:"passed"`
	// Failed are their names, Log the output of the failed ones.
	Failed []string `json:"failed,omitempty"`
	Log    string   `json:"log,omitempty"`
}

// Trace is one run of real requests through a chain of services.
type Trace struct {
	// Requests were answered, Complete of them are traces without a fault.
	Requests int `json:"requests"`
	Complete int `json:"complete"`
	// Lost counts what the receiver lost.
	Lost int64 `json:"lost"`
	// Fault says what went wrong, empty where nothing did.
	Fault string `json:"fault,omitempty"`
}

// Did tells whether tasks were done on this kernel, and everything works.
func (r *Report) Did(tasks Tasks) bool {
	ok := r.Failure == "" && r.Doing == "" && (!tasks.Has(Load) || len(r.Programs) > 0) &&
		(!tasks.Has(Tracing, Testing) || len(r.Strategies) > 0)
	for _, p := range r.Programs {
		ok = ok && p.Refusal == ""
	}
	for _, s := range r.Strategies {
		ok = ok && (!tasks.Has(Testing) || s.Tests.OK()) && (!tasks.Has(Tracing) || s.Trace.OK())
	}
	return ok
}

// OK tells whether there were tests, and all passed.
func (t *Tests) OK() bool { return t.Passed > 0 && len(t.Failed) == 0 }

// OK tells whether every request became a whole trace.
func (t *Trace) OK() bool { return t.Fault == "" && t.Requests > 0 && t.Complete == t.Requests }
