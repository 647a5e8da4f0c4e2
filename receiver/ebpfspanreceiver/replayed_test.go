package ebpfspanreceiver

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/metadata"
)

// statusHost hands on the status that components report.
type statusHost struct {
	component.Host
	events chan *componentstatus.Event
}

func newStatusHost() *statusHost {
	return &statusHost{Host: componenttest.NewNopHost(), events: make(chan *componentstatus.Event, 8)}
}

func (h *statusHost) Report(e *componentstatus.Event) { h.events <- e }

// replayTo starts the replay of a recording.
func replayTo(t *testing.T, path string, host component.Host, next consumer.Traces) *spanReceiver {
	config := createDefaultConfig().(*Config)
	config.Replay = path
	r, err := newSpanReceiver(config, receivertest.NewNopSettings(metadata.Type), next)
	require.NoError(t, err)
	require.NoError(t, r.Start(t.Context(), host))
	return r
}

// The end of a replay is told once the next consumer has everything.
func TestReplayTellsItsEnd(t *testing.T) {
	const recording = "testdata/chain.jsonl.gz"
	var whole, taken consumertest.TracesSink
	replay(t, recording, &whole)
	host := newStatusHost()
	r := replayTo(t, recording, host, &taken)
	e := <-host.events
	assert.Equal(t, whole.SpanCount(), taken.SpanCount())
	assert.Equal(t, componentstatus.StatusOK, e.Status())
	assert.Equal(t, map[string]any{replayAttribute: replayEnded}, e.Attributes().AsRaw())
	require.NoError(t, r.Shutdown(t.Context()))
	assert.Empty(t, host.events)
}

// A replay that is stopped has not ended.
func TestReplayIsStopped(t *testing.T) {
	started, host := make(chan *spanReceiver), newStatusHost()
	next, err := consumer.NewTraces(func(context.Context, ptrace.Traces) error {
		if r, ok := <-started; ok {
			r.cancel()
		}
		return nil
	})
	require.NoError(t, err)
	r := replayTo(t, "testdata/chain.jsonl.gz", host, next)
	started <- r
	close(started)
	require.NoError(t, r.Shutdown(t.Context()))
	assert.Empty(t, host.events)
}

// Nor has a damaged one.
func TestReplayOfDamaged(t *testing.T) {
	data, err := os.ReadFile("testdata/chain.jsonl.gz")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "short.jsonl.gz")
	require.NoError(t, os.WriteFile(path, data[:len(data)/2], 0o600))
	host := newStatusHost()
	r := replayTo(t, path, host, consumertest.NewNop())
	e := <-host.events
	assert.Equal(t, componentstatus.StatusPermanentError, e.Status())
	require.ErrorContains(t, e.Err(), "read the recording: ")
	require.NoError(t, r.Shutdown(t.Context()))
	assert.Empty(t, host.events)
}
