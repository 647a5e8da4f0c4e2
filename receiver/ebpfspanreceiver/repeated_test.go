package ebpfspanreceiver

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/span"
)

// recordedEvents reads a recording whole.
func recordedEvents(tb testing.TB, path string) (events []capture.Event) {
	tb.Helper()
	recording, err := capture.OpenRecording(path, &loss.Counts{})
	require.NoError(tb, err)
	require.NoError(tb, recording.Run(tb.Context(), func(e *capture.Event) {
		if e != nil {
			kept := *e
			kept.Data, kept.Tail = slices.Clone(e.Data), slices.Clone(e.Tail)
			events = append(events, kept)
		}
	}))
	require.NoError(tb, recording.Close())
	return events
}

// repeated plays recorded events to a pipeline again and again, each time later and on other sockets.
type repeated struct {
	pipeline *pipeline
	events   []capture.Event
	sockets  uint64
	period   int64
	rounds   int
}

func newRepeated(events []capture.Event, emit func(ptrace.Traces)) *repeated {
	r := &repeated{events: events, period: events[len(events)-1].Time - events[0].Time + 1}
	for i := range events {
		r.sockets = max(r.sockets, events[i].Socket+1)
	}
	r.pipeline = newPipeline(createDefaultConfig().(*Config), span.Options{ScopeName: "test"}, nil, nil, &stats{}, zap.NewNop(), emit)
	return r
}

// play plays them once more.
func (r *repeated) play() {
	for i := range r.events {
		e := r.events[i]
		e.Time += int64(r.rounds) * r.period
		if e.Socket != 0 {
			e.Socket += uint64(r.rounds) * r.sockets
		}
		r.pipeline.event(&e)
	}
	r.pipeline.finish()
	r.rounds++
}
