package ebpfspanreceiver

import (
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// What has left is forgotten: a collector that has seen four times as much holds no more. A record
// of the past that leads to the one before it would keep all of them.
func TestMemoryIsBounded(t *testing.T) {
	const first, all = 30_000, 120_000 // events
	for _, name := range []string{"chain", "node-loop", "asyncio-loop"} {
		for variant, thinned := range map[string]bool{"full": false, "thinned": true} {
			t.Run(name+"/"+variant, func(t *testing.T) {
				events := recordedEvents(t, filepath.Join("testdata", name+".jsonl.gz"))
				for i := range events {
					events[i].Task.Thinned = thinned
				}
				r := newRepeated(events, func(ptrace.Traces) {})
				before := r.heapAfter(first)
				after := r.heapAfter(all)
				assert.LessOrEqual(t, after, before+before/2+1<<20, "bytes of the heap after %d events and after %d", first, all)
			})
		}
	}
}

// heapAfter plays until so many events were played in all, and returns the bytes in use.
func (r *repeated) heapAfter(events int) uint64 {
	for r.rounds*len(r.events) < events {
		r.play()
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	runtime.KeepAlive(r)
	return m.HeapAlloc
}
