package seqlinkprocessor

import (
	"context"
	"io/fs"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
)

// BenchmarkLinker takes spans in, joins them in chains of five services and hands
// them over: one operation is a batch of 500 spans, 20 batches are a second.
func BenchmarkLinker(b *testing.B) {
	for _, store := range []string{"memory", "disk"} {
		b.Run(store, func(b *testing.B) {
			cfg := createDefaultConfig().(*Config)
			if store == "disk" {
				cfg.DBPath = b.TempDir()
			}
			clock := &testClock{t: time.Unix(1_700_000_000, 0)}
			tel, err := newTelemetry(componenttest.NewNopTelemetrySettings())
			require.NoError(b, err)
			l, err := newLinker(cfg, zap.NewNop(), tel, consumertest.NewNop(), clock.now)
			require.NoError(b, err)
			next := uint64(0)
			for b.Loop() {
				b.StopTimer()
				td := chains(next, 50)
				next += 50
				b.StartTimer()
				require.NoError(b, l.accept(td))
				clock.add(50 * time.Millisecond)
				l.cycle(context.Background())
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/500, "ns/span")
			b.ReportMetric(float64(diskUse(b, cfg.DBPath))/(1<<20), "MiB-on-disk")
			b.ReportMetric(float64(l.index.bytes())/float64(l.index.known), "index-B/known-span")
			b.ReportMetric(float64(heapInUse())/float64(l.index.known), "heap-B/known-span")
			require.True(b, l.stop())
			require.NoError(b, l.close(context.Background()))
		})
	}
}

// chains returns n traces of five services, ten spans each.
func chains(first uint64, n int) ptrace.Traces {
	td := ptrace.NewTraces()
	ss := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty()
	ss.Scope().SetName(kernelScopePrefix)
	for i := range uint64(n) {
		parent := uint64(0)
		for hop := range uint64(5) {
			id := ((first+i)*5 + hop + 1) << 1
			for _, s := range []testSpan{server(id, id, parent), client(id, id+1, id)} {
				ps := ss.Spans().AppendEmpty()
				s.fill(ps)
				ps.SetName("GET")
				ps.Attributes().PutStr("url.path", "/a/path/of/some/length/to/be/like/a/real/one")
				ps.Attributes().PutStr("server.address", "service.namespace.svc.cluster.local")
				ps.Attributes().PutStr("network.peer.address", "10.20.30.40")
				ps.Attributes().PutInt("http.response.status_code", 200)
			}
			parent = id + 1
		}
	}
	return td
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func diskUse(b *testing.B, dir string) (bytes int64) {
	if dir == "" {
		return 0
	}
	require.NoError(b, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		bytes += info.Size()
		return err
	}))
	return bytes
}
