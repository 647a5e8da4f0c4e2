package budget

import (
	"time"

	"go.uber.org/zap"
)

const (
	// window is how long the kernel measures its BPF programs, in one of so many
	// measurements. While it does, each run of any program on the host costs some
	// tens of nanoseconds more; to begin and end it costs milliseconds, because the
	// kernel rewrites its own code (kernel/bpf/syscall.c, bpf_stats_enabled_key).
	window       = 200 * time.Millisecond
	measurements = 5
	// weight is that of one window in the average of the programs' run time.
	weight = 0.6
)

// Programs are the BPF programs.
type Programs interface {
	// RunTime lets the kernel measure the programs for some time, which it waits for,
	// and returns the CPU time that they took for each second.
	RunTime(window time.Duration) (cores float64, err error)
}

// ProcessMeter measures this process and the BPF programs that it attached.
type ProcessMeter struct {
	programs Programs
	logger   *zap.Logger
	warned   bool
	// average is that of the programs' cores.
	average  float64
	measured bool
	calls    int

	last    time.Duration
	instant time.Time
}

// NewProcessMeter returns a meter; it measures from now on.
func NewProcessMeter(programs Programs, logger *zap.Logger) (*ProcessMeter, error) {
	m := &ProcessMeter{programs: programs, logger: logger, instant: time.Now()}
	var err error
	m.last, err = cpuTime()
	return m, err
}

// Measure implements Meter. Where the kernel does not measure the programs for us,
// their part is left out, with a warning.
func (m *ProcessMeter) Measure() (Use, error) {
	m.measurePrograms()
	used, err := cpuTime()
	if err != nil {
		return Use{}, err
	}
	resident, err := residentBytes()
	if err != nil {
		return Use{}, err
	}
	now := time.Now()
	own := (used - m.last).Seconds() / now.Sub(m.instant).Seconds()
	m.last, m.instant = used, now
	return Use{Cores: own + m.average, Resident: resident}, nil
}

func (m *ProcessMeter) measurePrograms() {
	m.calls++
	if m.calls%measurements != 1 {
		return
	}
	cores, err := m.programs.RunTime(window)
	switch {
	case err == nil && !m.measured:
		m.average, m.measured = cores, true
	case err == nil:
		m.average += weight * (cores - m.average)
	case !m.warned:
		m.warned = true
		m.logger.Warn("The run time of the BPF programs cannot be measured; the budget for CPU covers the collector's own alone.",
			zap.Error(err))
	}
}
