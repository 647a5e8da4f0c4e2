package ebpfspanreceiver

import (
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/featuregate"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/xpdata/pref"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
)

// BenchmarkReplay takes recordings through all stages, from events to spans of
// pdata, again and again, each time later and on other sockets. Most allocations
// are the values of attributes in pdata, one each; with the feature gate
// pdata.useProtoPooling pdata takes them from a pool.
//
// spans/core-s is for each second of CPU time, garbage collection included,
// whichever cores it runs on.
func BenchmarkReplay(b *testing.B) {
	recordings, err := filepath.Glob("testdata/*.jsonl.gz")
	require.NoError(b, err)
	servers, err := filepath.Glob("testdata/servers/*.jsonl.gz") // these call nobody
	require.NoError(b, err)
	recordings = append(recordings, servers...)
	const gate = "pdata.useProtoPooling"
	for _, path := range recordings {
		for name, pooled := range map[string]bool{"": false, "/pooled": true} {
			b.Run(strings.TrimSuffix(filepath.Base(path), ".jsonl.gz")+name, func(b *testing.B) {
				require.NoError(b, featuregate.GlobalRegistry().Set(gate, pooled))
				b.Cleanup(func() { require.NoError(b, featuregate.GlobalRegistry().Set(gate, false)) })
				benchmarkReplay(b, recordedEvents(b, path), pooled)
			})
		}
	}
}

// cpuTime is what the process has used of all processors.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func benchmarkReplay(b *testing.B, events []capture.Event, pooled bool) {
	spans := 0
	emit := func(batch ptrace.Traces) {
		spans += batch.SpanCount()
		if pooled {
			pref.MarkPipelineOwnedTraces(batch)
			pref.UnrefTraces(batch)
		}
	}
	r := newRepeated(events, emit)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := cpuTime(b)
	for b.Loop() {
		r.play()
	}
	used := cpuTime(b) - began
	runtime.ReadMemStats(&after)
	require.Positive(b, spans)
	b.ReportMetric(float64(spans)/used.Seconds(), "spans/core-s")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(spans), "allocs/span")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(spans), "B/span")
}
