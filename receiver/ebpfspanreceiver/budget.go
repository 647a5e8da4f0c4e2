package ebpfspanreceiver

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/budget"
)

// minMemoryBudget is what a collector needs to do anything at all.
const minMemoryBudget = 64 << 20

// BudgetConfig bounds what capture may cost. Beyond it, requests are left out.
type BudgetConfig struct {
	// Requests is the percentage of the requests that is kept at the most, whatever that
	// costs, "10%" for example; empty for all.
	Requests string `mapstructure:"requests"`
	// CPU is a percentage of the time of all processors, "2%" for example; empty for
	// no bound. It covers the collector and the BPF programs.
	CPU string `mapstructure:"cpu"`
	// Memory is the collector's resident memory, "200MiB" for example; empty for no bound.
	Memory string `mapstructure:"memory"`
	// Overload says what becomes of what is captured and cannot be read in time: "thin" leaves
	// out as many requests as it takes, whole ones, and "drop" loses events.
	Overload string `mapstructure:"overload"`
}

const (
	overloadThin = "thin"
	overloadDrop = "drop"
)

func (b *BudgetConfig) validate() error {
	_, limitsErr := b.limits()
	_, requestsErr := b.requests()
	return errors.Join(limitsErr, requestsErr, oneOf("budget::overload", b.Overload, overloadThin, overloadDrop))
}

// limits returns the budgets in the units of the governor.
func (b *BudgetConfig) limits() (l budget.Limits, err error) {
	cpu, cpuErr := b.cpu()
	memory, memoryErr := b.memory()
	return budget.Limits{Cores: cpu * float64(runtime.NumCPU()), Resident: memory}, errors.Join(cpuErr, memoryErr)
}

// cpu returns the part of the processors' time, 0 for no bound.
func (b *BudgetConfig) cpu() (part float64, err error) {
	if b.CPU == "" {
		return 0, nil
	}
	if part, err = percentage(b.CPU); err != nil {
		return 0, fmt.Errorf("budget::cpu: %q is no percentage of the processors' time: give more than 0%% and up to 100%%, "+
			"2%% for example, or remove it for no bound", b.CPU)
	}
	return part, nil
}

// requests returns the part of the requests that is kept at the most.
func (b *BudgetConfig) requests() (part float64, err error) {
	if b.Requests == "" {
		return 1, nil
	}
	if part, err = percentage(b.Requests); err != nil || part < budget.MinRatio {
		return 0, fmt.Errorf("budget::requests: %q is no percentage of the requests: give 0.1%% to 100%%, 10%% for example, "+
			"or remove it for all", b.Requests)
	}
	return part, nil
}

// percentage reads more than 0% and up to 100%, as a part of 1.
func percentage(text string) (part float64, err error) {
	number, ok := strings.CutSuffix(text, "%")
	percent, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if !ok || err != nil || math.IsNaN(percent) || percent <= 0 || percent > 100 {
		return 0, strconv.ErrRange
	}
	return percent / 100, nil
}

// memory returns bytes, 0 for no bound.
func (b *BudgetConfig) memory() (bytes float64, err error) {
	if b.Memory == "" {
		return 0, nil
	}
	parsed, err := humanize.ParseBytes(b.Memory)
	if err != nil || parsed < minMemoryBudget {
		return 0, fmt.Errorf("budget::memory: %q is no size of 64MiB or more: give a number with its unit, 200MiB for example, "+
			"or remove it for no bound", b.Memory)
	}
	return float64(parsed), nil
}
