// Package thin decides which requests are left out while capture costs more than
// its budget.
//
// Both ends of a request know its key (docs/architecture.md, "Identity"), which is
// as good as a random number. A request is kept where the first 56 bits of its key
// are not below a threshold, as OpenTelemetry's consistent probability sampling
// does with trace ids: so both ends keep the same requests without talking, and of
// two agents with different thresholds the one with the higher keeps a part of what
// the other keeps.
package thin

import (
	"math"
	"sync/atomic"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
	"go.uber.org/zap"
)

const (
	// lag is how long a request may be on its way from one end to the other for both
	// to decide alike while the threshold changes, in nanoseconds.
	lag = int64(2 * time.Second)
	// linger is how long nothing is left out before the kernel side stops to look.
	// Requests that it hid are answered by then.
	linger = int64(30 * time.Second)
	// carry is how long decisions are remembered after a change.
	carry = int64(10 * time.Second)
	// kernelBelow is the kept part below which the kernel side leaves requests out,
	// too. Above it causality sees every request, whether a span is made of it or not.
	kernelBelow = 0.5
	// precision is the number of significant hexadecimal digits of a threshold, as
	// the Collector's samplers have it.
	precision = 4
)

// Role is the end of its requests that a connection is.
type Role uint8

// The roles, in the order of enum role in bpf/include/socket.h.
const (
	Client Role = iota + 1
	Server
	// None: nobody recognised what is spoken; nothing of it is of use.
	None
	// Whole: a turn holds many requests. All of each system call's bytes are wanted, as far
	// as the kernel side can carry them, and it leaves no request out.
	Whole
)

// Kernel is the side that can leave requests out before they cost much.
type Kernel interface {
	// Thin lets requests go by whose key is below the threshold, on connections
	// whose role is known. Active says whether any thinning goes on at all.
	Thin(threshold sampling.Threshold, active bool) error
	// Mark tells the role of the connection behind a socket, by its inode number.
	Mark(socket uint64, role Role) error
}

// Verdict is what was decided about a request.
type Verdict struct {
	// Threshold is the one that decided; zero where everything is kept.
	Threshold sampling.Threshold
	// Out says that no span is made of the request.
	Out bool
}

// Ratio returns the part of the requests that is kept by the verdict's threshold.
func (v Verdict) Ratio() float64 { return v.Threshold.Probability() }

// Request is what a decision rests on.
type Request struct {
	Key    uint64
	Role   Role
	Socket uint64
	// Turns says that each run of bytes in the request's direction has been one
	// request, and that there was more than one: the kernel side can tell them apart.
	Turns bool
}

// Thinner decides about requests. Aim and the figures may be used from any goroutine,
// everything else from one. A nil Thinner keeps everything.
type Thinner struct {
	kernel Kernel
	logger *zap.Logger
	// wall is the time now, in nanoseconds since the Unix epoch.
	wall func() int64

	aim atomic.Uint64 // math.Float64bits of the part to keep
	out atomic.Int64

	// threshold decides here, since changed; gate decides in the kernel, since gated
	// on the wall clock. The gate is never above the threshold.
	threshold, gate sampling.Threshold
	changed, gated  int64
	inKernel        bool
	enabled         bool

	// sent are the decisions about the last requests that this host sent, carried
	// those of them that a change of the threshold would have turned round.
	sent    sent
	carried map[uint64]sampling.Threshold
}

// New returns a Thinner that keeps everything. Kernel may be nil.
func New(kernel Kernel, wall func() int64, logger *zap.Logger) *Thinner {
	t := &Thinner{kernel: kernel, logger: logger, wall: wall, carried: make(map[uint64]sampling.Threshold)}
	t.Aim(1)
	return t
}

// Enable says that less than everything may be aimed at. It must be called before the
// first request.
func (t *Thinner) Enable() { t.enabled = true }

// Enabled reports whether requests are to be asked about.
func (t *Thinner) Enabled() bool { return t != nil && t.enabled }

// Aim sets the part of the requests that is to be kept, above 0 and up to 1. It comes
// into force with the next ticks.
func (t *Thinner) Aim(ratio float64) { t.aim.Store(math.Float64bits(ratio)) }

// Out returns the number of requests that were left out here.
func (t *Thinner) Out() int64 { return t.out.Load() }

// Request decides about a request, of which each end must ask once.
func (t *Thinner) Request(r Request) Verdict {
	v := Verdict{Threshold: t.threshold}
	if r.Role == Client {
		t.sent.add(r.Key, t.threshold)
	} else if carried, ok := t.carried[r.Key]; ok {
		v.Threshold = carried
	}
	v.Out = below(r.Key, v.Threshold)
	if v.Out {
		t.out.Add(1)
		if r.Turns && below(r.Key, t.gate) {
			// The kernel side would have known, had it been told.
			t.mark(r.Socket, r.Role)
		}
	}
	return v
}

// Unknown says that nobody recognised what is spoken on a connection.
func (t *Thinner) Unknown(socket uint64) {
	if t != nil {
		t.mark(socket, None)
	}
}

// Whole asks for all of the bytes on a connection, not only for those at the beginning of
// each turn.
func (t *Thinner) Whole(socket uint64) {
	if t != nil {
		t.mark(socket, Whole)
	}
}

func (t *Thinner) mark(socket uint64, role Role) {
	if t.kernel == nil {
		return
	}
	if err := t.kernel.Mark(socket, role); err != nil {
		t.logger.Debug("Could not tell the kernel side about a connection.", zap.Uint64("socket", socket), zap.Error(err))
	}
}

func below(key uint64, threshold sampling.Threshold) bool { return key>>8 < threshold.Unsigned() }

// Tick brings what is aimed at into force. Now is the time of the last event. The
// two ends of a request on this host decide at different times, so a change comes
// into force in steps: the kernel side must never leave out what this side keeps.
func (t *Thinner) Tick(now int64) {
	if !t.Enabled() {
		return
	}
	wanted := t.wanted()
	if len(t.carried) > 0 && now-t.changed > carry {
		clear(t.carried)
	}
	t.kernelWorks(wanted, now)
	ceiling := sampling.AlwaysSampleThreshold
	if t.inKernel {
		ceiling = lower(wanted, t.threshold)
	}
	if higher(t.gate, ceiling) || higher(ceiling, t.gate) && now-t.changed >= lag {
		t.setGate(ceiling)
	}
	settled := now-t.gated >= lag && !higher(t.gate, wanted)
	if higher(wanted, t.threshold) || higher(t.threshold, wanted) && settled {
		t.change(wanted, now)
	}
}

func (t *Thinner) wanted() sampling.Threshold {
	ratio := math.Float64frombits(t.aim.Load())
	threshold, err := sampling.ProbabilityToThresholdWithPrecision(ratio, precision)
	if err != nil {
		return sampling.AlwaysSampleThreshold
	}
	return threshold
}

// kernelWorks decides whether the kernel side leaves requests out, too. It goes on
// until nothing was left out for a while: to stop before would bring back at once
// the load that it kept away.
func (t *Thinner) kernelWorks(wanted sampling.Threshold, now int64) {
	always := sampling.AlwaysSampleThreshold
	switch {
	case t.kernel == nil:
	case !t.inKernel && wanted.Probability() < kernelBelow:
		t.inKernel = true
		t.setGate(t.gate)
	case t.inKernel && wanted == always && t.threshold == always && t.gate == always && now-t.changed > linger:
		t.inKernel = false
		t.setGate(t.gate)
	}
}

func (t *Thinner) setGate(gate sampling.Threshold) {
	if err := t.kernel.Thin(gate, t.inKernel); err != nil {
		t.logger.Warn("Could not set the part of requests that the kernel side leaves out.", zap.Error(err))
		return
	}
	t.gate, t.gated = gate, t.wall()
}

func (t *Thinner) change(threshold sampling.Threshold, now int64) {
	t.threshold, t.changed = threshold, now
	t.sent.turned(threshold, t.carried)
}

func higher(a, b sampling.Threshold) bool { return sampling.ThresholdGreater(a, b) }

func lower(a, b sampling.Threshold) sampling.Threshold {
	if higher(a, b) {
		return b
	}
	return a
}
