package run

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseLosses(t *testing.T) {
	losses, err := parseLosses(`# TYPE otelcol_ebpf_span_losses_total counter
otelcol_ebpf_span_losses_total{otel_scope_name="x",reason="ring_buffer_full",service_name="y"} 3
otelcol_ebpf_span_losses_total{reason="stream_gap"} 1e+06
otelcol_ebpf_span_losses_total{reason="probe_failed"} 0
otelcol_ebpf_span_events_total{reason="other"} 7
`)
	require.NoError(t, err)
	assert.Equal(t, Losses{"ring_buffer_full": 3, "stream_gap": 1_000_000, "probe_failed": 0}, losses)
	assert.EqualValues(t, 1_000_003, losses.Total())
	assert.Equal(t, "ring_buffer_full 3, stream_gap 1000000", losses.String())
}

func TestParseLossesAbsent(t *testing.T) {
	_, err := parseLosses("otelcol_process_uptime 1\n")
	require.ErrorContains(t, err, "do not have otelcol_ebpf_span_losses")
	assert.Equal(t, "none", Losses{"probe_failed": 0}.String())
}
