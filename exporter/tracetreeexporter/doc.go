//go:generate go tool -modfile ../../internal/tools/go.mod mdatagen metadata.yaml

// Package tracetreeexporter prints each finished trace as a tree: one line per
// span with its service, operation, place in time and the way in which its link
// to its parent was found.
package tracetreeexporter
