package e2e

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/examples/run"
)

// TestJaeger reads a trace back from a real Jaeger.
func TestJaeger(t *testing.T) {
	binary := os.Getenv("SEQLINK_JAEGER_BIN")
	if binary == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("SEQLINK_JAEGER_BIN is not set: `make test` builds Jaeger and sets it")
		}
		t.Skip("SEQLINK_JAEGER_BIN names no Jaeger")
	}
	jaeger, err := run.StartJaeger(t.Context(), binary, t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, jaeger.Stop()) })
	r := newRig(t)
	r.startChain(r.fourServices()...)
	r.startCollector(map[string]any{"otlp_grpc": jaeger.OTLPGRPC()})
	report := r.check(r.send(1))
	require.NotEmpty(t, report.CompleteTraces)

	services := r.chain.Services
	spans, err := jaeger.Trace(t.Context(), report.CompleteTraces[0], run.SpansPerRequest(len(services)), 10*time.Second)
	require.NoError(t, err)
	id := spans[0].Request
	whole := run.Check(spans, []string{id}, services)
	assert.NoError(t, whole.Err(), "the trace as Jaeger gives it")
}
