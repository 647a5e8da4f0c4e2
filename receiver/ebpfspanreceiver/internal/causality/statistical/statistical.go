// Package statistical finds which request caused a call where nothing but time
// tells: by containment, and by what was learned of the order, the number and the
// delays of the calls that each endpoint makes. docs/causality/statistical.md
// explains the method.
//
// It knows of no other package. Its input are facts of one process, in the order
// of time: requests that open and close, calls that begin and end, and the exact
// relations that stronger evidence found.
package statistical

import "time"

// Options bound what a process may hold and how long calls may wait. The zero
// value of a field stands for its default.
type Options struct {
	// MaxWait is how long after its end a call may wait to be decided. 5 s.
	MaxWait time.Duration
	// Warmup is how many requests with calls are seen before the first calls are
	// decided, unless MaxWait or MaxHeld comes first. 256.
	Warmup int
	// MaxHeld is how many calls wait at most. 4,096.
	MaxHeld int
	// Batch is how many calls are decided together where requests never stop to
	// overlap. 256.
	Batch int
	// MaxOpen is how many requests may be open around a call that is decided. 128.
	MaxOpen int
	// MaxCPU bounds the time of processors that a process' decisions take, in cores:
	// 0.05 is a twentieth of one. Beyond it calls stay undecided. 0 is no bound.
	MaxCPU float64
	// Audit is how many exact relations there are for each one that is hidden, to
	// see whether it would be found. 16.
	Audit int
}

func (o Options) withDefaults() Options {
	if o.MaxWait == 0 {
		o.MaxWait = 5 * time.Second
	}
	if o.Warmup == 0 {
		o.Warmup = 256
	}
	if o.MaxHeld == 0 {
		o.MaxHeld = 4096
	}
	if o.Batch == 0 {
		o.Batch = 256
	}
	if o.MaxOpen == 0 {
		o.MaxOpen = 128
	}
	if o.Audit == 0 {
		o.Audit = 16
	}
	return o
}

// Request is an incoming request. Times are nanoseconds of one clock.
type Request struct {
	// Owner is the caller's, for finding its own record again.
	Owner any

	endpoint   kind
	start, end int64
	// waits is the number of undecided calls that it may have caused.
	waits int
	// worn says that its first calls are forgotten.
	worn bool
	// chain is its place in the window, -1 once it is forgotten.
	chain int32
}

func (r *Request) open() bool { return r.end == 0 }

// Call is an outgoing call.
type Call struct {
	// Owner is the caller's, for finding its own record again.
	Owner any

	callee     kind
	start, end int64
	// settled says that the parent is known or decided; it may be nil.
	settled bool
	parent  *Request
	// audit says that the parent is hidden, and is truth.
	audit bool
	truth *Request
	// crowded says that too many requests are open around it.
	crowded bool
	// index is the call's place in the window.
	index int32
}

// Decision is what was found of a call.
type Decision struct {
	Call *Call
	// Parent is the likeliest request, nil where none was open or it is likelier
	// that no request caused the call.
	Parent *Request
	// Confidence is the probability, 0 to 1, that Parent is right, calibrated by
	// what stronger evidence said of others.
	Confidence float64
	// RunnerUp is the next likely request, nil where there is none.
	RunnerUp           *Request
	RunnerUpConfidence float64
	// GivenUp says why the parent was not looked for; empty where it was.
	GivenUp GivenUp
}

// GivenUp is why a call is left undecided.
type GivenUp string

// The reasons.
const (
	// Crowded: more than MaxOpen requests were open around it.
	Crowded GivenUp = "crowded"
	// Overloaded: MaxCPU was spent.
	Overloaded GivenUp = "overloaded"
)
