// Package footprint keeps the process's memory small, but where that costs too much CPU time.
package footprint
