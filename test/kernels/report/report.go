// Package report is what a guest tells its host: how one kernel took the programs, the
// kernel tests and real requests.
package report

// Prefix begins each line of a guest's console that holds its report, as JSON. A guest
// reports before each of its steps, and at the end: if it dies, what it did before counts.
const Prefix = "SEQLINK-REPORT "

// OnlyVariable is the guest's environment variable that restricts it to one of its tasks.
const OnlyVariable = "SEQLINK_ONLY"

// The guest's tasks.
const (
	Load    = "load"
	Testing = "test"
	Tracing = "trace"
)

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

// OK tells whether everything works on this kernel.
func (r *Report) OK() bool {
	ok := r.Failure == "" && r.Doing == "" && len(r.Programs) > 0 && len(r.Strategies) > 0
	for _, p := range r.Programs {
		ok = ok && p.Refusal == ""
	}
	for _, s := range r.Strategies {
		ok = ok && s.OK()
	}
	return ok
}

// OK tells whether all tests passed and every request became a whole trace.
func (s *Strategy) OK() bool {
	return s.Tests.Passed > 0 && len(s.Tests.Failed) == 0 && s.Trace.OK()
}

// OK tells whether every request became a whole trace.
func (t *Trace) OK() bool { return t.Fault == "" && t.Requests > 0 && t.Complete == t.Requests }
