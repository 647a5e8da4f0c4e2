//go:build !linux

package budget

import (
	"errors"
	"time"
)

var errNotLinux = errors.New("this can be measured on Linux only")

func cpuTime() (time.Duration, error) { return 0, errNotLinux }

func residentBytes() (float64, error) { return 0, errNotLinux }
