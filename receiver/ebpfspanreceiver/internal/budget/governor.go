package budget

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
)

// interval is the time between two measurements.
const interval = time.Second

// Use is what capture and the collector use.
type Use struct {
	// Cores is the CPU time for each second of time: the collector's own, and that of
	// the BPF programs in the processes that they trace.
	Cores float64
	// Resident is the collector's resident memory in bytes.
	Resident float64
}

// Meter measures.
type Meter interface {
	// Measure returns the use of memory now, and of CPU time since the last call.
	Measure() (Use, error)
}

// Reader reads what is captured.
type Reader interface {
	// Pressure returns how much it had to do since the last call, of what it can do: above 1
	// where something was lost.
	Pressure() float64
}

// Limits are the budgets; 0 is none.
type Limits struct {
	Cores    float64
	Resident float64
}

// Options say what a Governor governs.
type Options struct {
	Limits Limits
	// Meter measures what Limits are for; nil where there are none.
	Meter Meter
	// Reader must keep up; nil where what it cannot read may be lost.
	Reader Reader
	// Aim is told which part of the requests to keep, when that changes.
	Aim    func(ratio float64)
	Logger *zap.Logger
}

// Governor measures what capture costs, and whether it is read in time, and says which part of
// the requests to keep. Its figures may be read from any goroutine.
type Governor struct {
	options Options
	// cost and reading find the parts that the budget and the reader allow.
	cost, reading *Controller

	ratio, cores, resident, pressure atomic.Uint64 // math.Float64bits
	warned                           bool
}

// NewGovernor returns a governor that keeps everything until it measures.
func NewGovernor(options Options) *Governor {
	g := &Governor{options: options, cost: NewController(MinRatio), reading: NewController(minReadRatio)}
	g.ratio.Store(math.Float64bits(1))
	return g
}

// Ratio is the part of the requests that is to be kept.
func (g *Governor) Ratio() float64 { return math.Float64frombits(g.ratio.Load()) }

// Cores is the CPU time that was used for each second at the last measurement.
func (g *Governor) Cores() float64 { return math.Float64frombits(g.cores.Load()) }

// Resident is the memory that was used at the last measurement, in bytes.
func (g *Governor) Resident() float64 { return math.Float64frombits(g.resident.Load()) }

// Pressure is that of the reader at the last measurement.
func (g *Governor) Pressure() float64 { return math.Float64frombits(g.pressure.Load()) }

// Run governs until ctx ends.
func (g *Governor) Run(ctx context.Context) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			g.step()
		}
	}
}

// step measures once, and tells what follows.
func (g *Governor) step() {
	g.read()
	g.afford()
	ratio := min(g.cost.Ratio(), g.reading.Ratio())
	if ratio == g.Ratio() {
		return
	}
	g.ratio.Store(math.Float64bits(ratio))
	g.options.Aim(ratio)
}

// read finds the part that can be read in time.
func (g *Governor) read() {
	if g.options.Reader == nil {
		return
	}
	pressure, before := g.options.Reader.Pressure(), g.reading.Ratio()
	g.pressure.Store(math.Float64bits(pressure))
	ratio := g.reading.Observe(pressure, 0)
	if ratio == before {
		return
	}
	fields := []zap.Field{zap.Float64("ratio", ratio), zap.Float64("pressure", pressure)}
	switch {
	case before == 1:
		g.options.Logger.Warn("More is captured than can be read in time: requests are left out. "+
			"Trace fewer processes, or set budget::requests.", fields...)
	case ratio == 1:
		g.options.Logger.Info("What is captured can be read in time: no requests are left out for that any more.", fields...)
	case ratio == minReadRatio:
		g.options.Logger.Warn("More is captured than can be read in time though few requests are kept: events are lost.", fields...)
	}
}

// afford finds the part that the budget allows. What cannot be measured changes nothing.
func (g *Governor) afford() {
	if g.options.Meter == nil {
		return
	}
	use, err := g.options.Meter.Measure()
	if err != nil {
		if !g.warned {
			g.options.Logger.Warn("The cost of capture cannot be measured; its budget has no effect.", zap.Error(err))
		}
		g.warned = true
		return
	}
	g.cores.Store(math.Float64bits(use.Cores))
	g.resident.Store(math.Float64bits(use.Resident))
	limits, before := g.options.Limits, g.cost.Ratio()
	ratio := g.cost.Observe(part(use.Cores, limits.Cores), part(use.Resident, limits.Resident))
	if ratio != before {
		g.report(before, ratio, use)
	}
}

func part(use, limit float64) float64 {
	if limit == 0 {
		return 0
	}
	return use / limit
}

// report logs where thinning for the budget begins, ends, or cannot do more.
func (g *Governor) report(before, ratio float64, use Use) {
	fields := []zap.Field{
		zap.Float64("ratio", ratio), zap.Float64("cores", use.Cores), zap.Float64("resident_bytes", use.Resident),
	}
	switch {
	case before == 1:
		g.options.Logger.Info("Capture costs more than its budget: requests are left out.", fields...)
	case ratio == 1:
		g.options.Logger.Info("Capture is within its budget: no requests are left out for that any more.", fields...)
	case ratio == MinRatio:
		g.options.Logger.Warn("Capture costs more than its budget though hardly any request is kept; "+
			"raise the budget, or trace fewer processes.", fields...)
	}
}
