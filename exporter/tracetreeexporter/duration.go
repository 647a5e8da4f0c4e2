package tracetreeexporter

import (
	"math"
	"strconv"
	"time"
)

// longest leaves room to round within the range of time.Duration.
const longest = math.MaxInt64 - uint64(time.Second)

// formatDuration writes ns with three significant digits below a minute: 950ns,
// 12.3ms, 1.20s; and to the second from there on: 2m3s.
func formatDuration(ns uint64) string {
	exact := time.Duration(min(ns, longest))
	d := roundSignificant(exact)
	switch {
	case d < time.Microsecond:
		return strconv.FormatInt(int64(d), 10) + "ns"
	case d < time.Millisecond:
		return formatUnit(d, time.Microsecond, "µs")
	case d < time.Second:
		return formatUnit(d, time.Millisecond, "ms")
	case d < time.Minute:
		return formatUnit(d, time.Second, "s")
	default:
		return exact.Round(time.Second).String()
	}
}

func roundSignificant(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit)
}

// formatUnit writes d, which is less than 1000 units, with three digits.
func formatUnit(d, unit time.Duration, name string) string {
	decimals := 2
	switch {
	case d >= 100*unit:
		decimals = 0
	case d >= 10*unit:
		decimals = 1
	}
	return strconv.FormatFloat(float64(d)/float64(unit), 'f', decimals, 64) + name
}
