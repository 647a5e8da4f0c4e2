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

// Limits are the budgets; 0 is none.
type Limits struct {
	Cores    float64
	Resident float64
}

// Governor measures what capture costs and says which part of the requests to keep.
// Its figures may be read from any goroutine.
type Governor struct {
	limits     Limits
	meter      Meter
	controller *Controller
	aim        func(ratio float64)
	logger     *zap.Logger

	ratio, cores, resident atomic.Uint64 // math.Float64bits
	warned                 bool
}

// NewGovernor returns a governor that tells aim which part to keep.
func NewGovernor(limits Limits, meter Meter, aim func(ratio float64), logger *zap.Logger) *Governor {
	g := &Governor{limits: limits, meter: meter, controller: NewController(), aim: aim, logger: logger}
	g.ratio.Store(math.Float64bits(1))
	return g
}

// Ratio is the part of the requests that is to be kept.
func (g *Governor) Ratio() float64 { return math.Float64frombits(g.ratio.Load()) }

// Cores is the CPU time that was used for each second at the last measurement.
func (g *Governor) Cores() float64 { return math.Float64frombits(g.cores.Load()) }

// Resident is the memory that was used at the last measurement, in bytes.
func (g *Governor) Resident() float64 { return math.Float64frombits(g.resident.Load()) }

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

// step measures once. What cannot be measured changes nothing.
func (g *Governor) step() {
	use, err := g.meter.Measure()
	if err != nil {
		if !g.warned {
			g.logger.Warn("The cost of capture cannot be measured; its budget has no effect.", zap.Error(err))
		}
		g.warned = true
		return
	}
	g.cores.Store(math.Float64bits(use.Cores))
	g.resident.Store(math.Float64bits(use.Resident))
	before := g.controller.Ratio()
	ratio := g.controller.Observe(part(use.Cores, g.limits.Cores), part(use.Resident, g.limits.Resident))
	if ratio == before {
		return
	}
	g.report(before, ratio, use)
	g.ratio.Store(math.Float64bits(ratio))
	g.aim(ratio)
}

func part(use, limit float64) float64 {
	if limit == 0 {
		return 0
	}
	return use / limit
}

// report logs where thinning begins, ends, or cannot do more.
func (g *Governor) report(before, ratio float64, use Use) {
	fields := []zap.Field{
		zap.Float64("ratio", ratio), zap.Float64("cores", use.Cores), zap.Float64("resident_bytes", use.Resident),
	}
	switch {
	case before == 1:
		g.logger.Info("Capture costs more than its budget: requests are left out.", fields...)
	case ratio == 1:
		g.logger.Info("Capture is within its budget: no requests are left out any more.", fields...)
	case ratio == MinRatio:
		g.logger.Warn("Capture costs more than its budget though hardly any request is kept; "+
			"raise the budget, or trace fewer processes.", fields...)
	}
}
