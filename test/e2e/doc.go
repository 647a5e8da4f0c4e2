// Package e2e tests the whole of Seqlink on the kernel it runs on: real services,
// the built collector, and traces compared with what was asked.
//
// It needs root and bin/otelcol-seqlink, or the binary that SEQLINK_BIN names;
// `make test` provides for both.
package e2e
