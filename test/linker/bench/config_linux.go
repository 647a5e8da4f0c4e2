package main

import (
	"fmt"
	"time"

	"github.com/seqlink/seqlink/test/internal/collector"
)

// processor is what stands between receiver and exporter; empty for nothing.
type processor struct {
	name, config string
	// holds is how long it holds a span.
	holds time.Duration
}

const configTemplate = `
receivers:
  otlp:
    protocols:
      grpc: {endpoint: %q, max_recv_msg_size_mib: 64}
%s
exporters:
  otlp_grpc:
    endpoint: %q
    compression: none
    tls: {insecure: true}
    sending_queue: %s
    retry_on_failure: {enabled: false}
extensions:
  pprof: {endpoint: %q}
service:
  extensions: [pprof]
  telemetry: %s
  pipelines:
    traces: {receivers: [otlp], processors: [%s], exporters: [otlp_grpc]}
`

// collectorConfig is the configuration of a collector with the processor alone.
func (p processor) collectorConfig(o collector.Options, backend string) string {
	processors := ""
	if p.name != "" {
		processors = fmt.Sprintf("processors:\n  %s:\n%s", p.name, p.config)
	}
	return fmt.Sprintf(configTemplate, o.Ready, processors, backend, p.sendingQueue(), o.Pprof, collector.Telemetry(o.Metrics), p.name)
}
