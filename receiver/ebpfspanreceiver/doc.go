//go:generate go tool -modfile ../../internal/tools/go.mod mdatagen metadata.yaml

// Package ebpfspanreceiver makes OTLP spans out of what the kernel sees: which
// process sent and received which bytes on which connection. Its stages are the
// folders of internal/, in the order capture, discover, conn, protocol,
// causality, span; docs/architecture.md shows how they fit together.
package ebpfspanreceiver
