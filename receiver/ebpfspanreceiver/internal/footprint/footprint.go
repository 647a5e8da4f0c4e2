// Package footprint keeps the process's memory small.
package footprint
