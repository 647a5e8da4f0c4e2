//go:generate go tool -modfile ../../internal/tools/go.mod mdatagen metadata.yaml

// Package seqlinkprocessor joins the segments that eBPF agents hand over into
// whole traces: the linker.
//
// Spans wait for a window in Badger, as the batches in which they came, while an
// in-memory index of their ids learns which segments belong together. They leave
// in arrival order under the name (trace id) of their trace.
package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"
