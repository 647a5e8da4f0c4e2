// Package report is what a guest tells its host: how one kernel took the programs, the
// kernel tests and real requests.
package report

// Prefix begins the one line of a guest's console that holds its report, as JSON.
const Prefix = "SEQLINK-REPORT "

// Report is about one kernel.
type Report struct {
	// Release is that of uname(2).
	Release string `json:"release"`
	// Programs are all BPF programs, in the order of their objects and names.
	Programs []Program `json:"programs"`
	// Tests are the tests of the capture stage.
	Tests Tests `json:"tests"`
	// Traces are the runs of the whole collector, one for each strategy.
	Traces []Trace `json:"traces"`
	// Failure is what kept the guest from going on, empty where nothing did.
	Failure string `json:"failure,omitempty"`
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
	// Strategy is how the programs were attached.
	Strategy string `json:"strategy"`
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
	ok := r.Failure == "" && len(r.Programs) > 0 && r.Tests.Passed > 0 && len(r.Tests.Failed) == 0 && len(r.Traces) > 0
	for _, p := range r.Programs {
		ok = ok && p.Refusal == ""
	}
	for _, t := range r.Traces {
		ok = ok && t.OK()
	}
	return ok
}

// OK tells whether every request became a whole trace.
func (t *Trace) OK() bool { return t.Fault == "" && t.Requests > 0 && t.Complete == t.Requests }
