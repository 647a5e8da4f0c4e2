package capture

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// RunTime lets the kernel measure the programs for some time, which it waits for, and
// returns the CPU time that they took for each second of it. It may be called from
// any goroutine, before Close.
func (k *Kernel) RunTime(window time.Duration) (cores float64, err error) {
	measuring, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if errors.Is(err, fs.ErrPermission) {
		return 0, &MissingError{What: "the privilege to measure BPF programs", Cure: "add CAP_SYS_ADMIN", Err: err}
	}
	if err != nil {
		return 0, fmt.Errorf("let the kernel measure BPF programs: %w", err)
	}
	defer measuring.Close()
	began := time.Now()
	before, err := k.programs.runTime()
	if err != nil {
		return 0, err
	}
	time.Sleep(window)
	after, err := k.programs.runTime()
	return (after - before).Seconds() / time.Since(began).Seconds(), err
}

// runTime is how long the programs have run while the kernel measured them.
func (p *programs) runTime() (total time.Duration, err error) {
	for _, c := range p.collections {
		for name, program := range c.Programs {
			stats, err := program.Stats()
			if err != nil {
				return 0, fmt.Errorf("read the run time of %s: %w", name, err)
			}
			total += stats.Runtime
		}
	}
	return total, nil
}
