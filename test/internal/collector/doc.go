// Package collector runs a built collector for benchmarks, and measures it from outside:
// CPU time, memory, disk, and the metrics that it has of itself.
package collector
