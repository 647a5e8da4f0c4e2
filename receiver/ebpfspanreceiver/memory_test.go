package ebpfspanreceiver

import (
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/span"
)

// What has left is forgotten: a collector that has seen four times as much holds no more. A record
// of the past that leads to the one before it would keep all of them.
func TestMemoryIsBounded(t *testing.T) {
	const first, all = 30_000, 120_000 // events
	for _, name := range []string{"chain", "node-loop", "asyncio-loop"} {
		for variant, thinned := range map[string]bool{"full": false, "thinned": true} {
			t.Run(name+"/"+variant, func(t *testing.T) {
				r := newRepeated(t, filepath.Join("testdata", name+".jsonl.gz"), thinned)
				before := r.heapAfter(first)
				after := r.heapAfter(all)
				assert.LessOrEqual(t, after, before+before/2+1<<20, "bytes of the heap after %d events and after %d", first, all)
			})
		}
	}
}

// repeated plays a recording to a pipeline again and again, each time later and on other sockets.
type repeated struct {
	pipeline *pipeline
	events   []capture.Event
	sockets  uint64
	period   int64
	rounds   int
}

func newRepeated(t *testing.T, path string, thinned bool) *repeated {
	recording, err := capture.OpenRecording(path, &loss.Counts{})
	require.NoError(t, err)
	r := &repeated{}
	require.NoError(t, recording.Run(t.Context(), func(e *capture.Event) {
		if e == nil {
			return
		}
		kept := *e
		kept.Data, kept.Tail = slices.Clone(e.Data), slices.Clone(e.Tail)
		kept.Task.Thinned = thinned
		r.events = append(r.events, kept)
		r.sockets = max(r.sockets, e.Socket+1)
	}))
	require.NoError(t, recording.Close())
	r.period = r.events[len(r.events)-1].Time - r.events[0].Time + 1
	r.pipeline = newPipeline(createDefaultConfig().(*Config), span.Options{ScopeName: "test"}, nil, nil, &stats{}, zap.NewNop(),
		func(ptrace.Traces) {})
	return r
}

// heapAfter plays rounds until so many events were played in all, and returns the bytes in use.
func (r *repeated) heapAfter(events int) uint64 {
	for r.rounds*len(r.events) < events {
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
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	runtime.KeepAlive(r)
	return m.HeapAlloc
}
