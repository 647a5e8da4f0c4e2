package seqlinkprocessor

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"
)

// remote and local are the flags that Seqlink's receivers set on a span whose
// parent is in another, or in the same, process.
const (
	remote = flagHasIsRemote | flagIsRemote
	local  = flagHasIsRemote
)

// testSpan describes a span briefly. Trace and span ids are numbers; 0 is the
// invalid id.
type testSpan struct {
	trace, id, parent uint64
	kind              ptrace.SpanKind
	flags             uint32
	start, end        uint64
	contexts          []testContext
	links             []testContext // without seqlink.context
	sdk               bool
}

type testContext struct{ trace, span uint64 }

// server and client make spans as Seqlink's receivers do.
func server(trace, id, parent uint64, contexts ...testContext) testSpan {
	return testSpan{trace: trace, id: id, parent: parent, kind: ptrace.SpanKindServer, flags: remote, contexts: contexts}
}

func client(trace, id, parent uint64, contexts ...testContext) testSpan {
	return testSpan{trace: trace, id: id, parent: parent, kind: ptrace.SpanKindClient, flags: local, contexts: contexts}
}

func sdk(trace, id, parent uint64, kind ptrace.SpanKind, flags uint32) testSpan {
	return testSpan{trace: trace, id: id, parent: parent, kind: kind, flags: flags, sdk: true}
}

func (s testSpan) at(start, end uint64) testSpan {
	s.start, s.end = start, end
	return s
}

func (s testSpan) linked(links ...testContext) testSpan {
	s.links = links
	return s
}

func tid(n uint64) (id pcommon.TraceID) {
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}

func sid(n uint64) (id pcommon.SpanID) {
	binary.BigEndian.PutUint64(id[:], n)
	return id
}

func derived(root uint64) pcommon.TraceID { return deriveTraceID(sid(root)) }

func traces(spans ...testSpan) ptrace.Traces {
	td := ptrace.NewTraces()
	for _, s := range spans {
		ss := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty()
		ss.Scope().SetName("github.com/seqlink/seqlink/receiver/ebpfspanreceiver")
		if s.sdk {
			ss.Scope().SetName("example.com/sdk")
		}
		s.fill(ss.Spans().AppendEmpty())
	}
	return td
}

func (s testSpan) fill(ps ptrace.Span) {
	ps.SetTraceID(tid(s.trace))
	ps.SetSpanID(sid(s.id))
	ps.SetParentSpanID(sid(s.parent))
	ps.SetKind(s.kind)
	ps.SetFlags(s.flags)
	ps.SetStartTimestamp(pcommon.Timestamp(s.start))
	ps.SetEndTimestamp(pcommon.Timestamp(s.end))
	for _, c := range s.contexts {
		fillLink(ps, c).Attributes().PutStr(contextAttribute, "w3c")
	}
	for _, c := range s.links {
		fillLink(ps, c)
	}
}

func fillLink(ps ptrace.Span, c testContext) ptrace.SpanLink {
	l := ps.Links().AppendEmpty()
	l.SetTraceID(tid(c.trace))
	l.SetSpanID(sid(c.span))
	return l
}

// testClock is a clock that only moves when told to.
type testClock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *testClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *testClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// rig is a linker whose clock and flushes are driven by a test.
type rig struct {
	t     *testing.T
	cfg   *Config
	clock *testClock
	tel   *componenttest.Telemetry
	sink  *consumertest.TracesSink
	next  consumer.Traces
	l     *linker
}

func newRig(t *testing.T, mutate func(*Config)) *rig {
	cfg := createDefaultConfig().(*Config)
	if mutate != nil {
		mutate(cfg)
	}
	require.NoError(t, cfg.Validate())
	r := &rig{
		t: t, cfg: cfg, sink: &consumertest.TracesSink{},
		clock: &testClock{t: time.Unix(1_700_000_000, 0)},
		tel:   componenttest.NewTelemetry(),
	}
	r.next = r.sink
	t.Cleanup(func() { require.NoError(t, r.tel.Shutdown(context.Background())) })
	r.open()
	t.Cleanup(r.close)
	return r
}

func (r *rig) open() {
	tel, err := newTelemetry(r.tel.NewTelemetrySettings())
	require.NoError(r.t, err)
	r.l, err = newLinker(r.cfg, zap.NewNop(), tel, consumerFunc(func(ctx context.Context, td ptrace.Traces) error {
		return r.next.ConsumeTraces(ctx, td)
	}), r.clock.now)
	require.NoError(r.t, err)
}

func (r *rig) close() {
	if r.l.stop() {
		require.NoError(r.t, r.l.close(context.Background()))
	}
}

// reopen ends the linker properly and starts it anew.
func (r *rig) reopen() {
	r.close()
	r.open()
}

// kill goes on with a linker that finds what a kill -9 at this moment leaves.
func (r *rig) kill() {
	dir := filepath.Join(r.t.TempDir(), "db")
	copyDir(r.t, r.cfg.DBPath, dir)
	r.close()
	cfg := *r.cfg
	cfg.DBPath = dir
	r.cfg = &cfg
	r.open()
}

// fresh lets the linker forget everything and the sink, too.
func (r *rig) fresh() {
	r.pass(r.cfg.Window)
	r.pass(r.cfg.retention() + r.cfg.Window)
	requireEmptyIndex(r.t, r.l)
	r.sink.Reset()
}

func (r *rig) send(spans ...testSpan) { require.NoError(r.t, r.l.accept(traces(spans...))) }

// pass lets d pass and flushes what is due.
func (r *rig) pass(d time.Duration) {
	r.clock.add(d)
	r.l.cycle(context.Background())
}

// emitted returns everything that left, in order.
func (r *rig) emitted() []ptrace.Span {
	var spans []ptrace.Span
	for _, td := range r.sink.AllTraces() {
		eachSpan(td, func(_ pcommon.InstrumentationScope, ps ptrace.Span) { spans = append(spans, ps) })
	}
	return spans
}

// byID returns what left by span id and checks that each left once.
func (r *rig) byID() map[uint64]ptrace.Span {
	spans := map[uint64]ptrace.Span{}
	for _, ps := range r.emitted() {
		id := ps.SpanID()
		n := binary.BigEndian.Uint64(id[:])
		if _, twice := spans[n]; twice {
			require.Failf(r.t, "span left twice", "%x", n)
		}
		spans[n] = ps
	}
	return spans
}

func (r *rig) span(id uint64) ptrace.Span {
	ps, ok := r.byID()[id]
	require.True(r.t, ok, "span %x has not left", id)
	return ps
}

// counter returns the value of a counter, or of its part with this attribute.
func (r *rig) counter(metric string, attrs ...string) int64 {
	m, err := r.tel.GetMetric("otelcol_processor_seqlink_" + metric)
	if err != nil {
		return 0
	}
	var sum int64
	for _, dp := range m.Data.(metricdata.Sum[int64]).DataPoints {
		if len(attrs) == 2 {
			if v, _ := dp.Attributes.Value(attribute.Key(attrs[0])); v.AsString() != attrs[1] {
				continue
			}
		}
		sum += dp.Value
	}
	return sum
}

type consumerFunc func(context.Context, ptrace.Traces) error

func (consumerFunc) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (f consumerFunc) ConsumeTraces(ctx context.Context, td ptrace.Traces) error { return f(ctx, td) }

// copyDir copies the files of a store that is in use as they are at one moment: it
// starts again when the store changed files meanwhile.
func copyDir(t testing.TB, from, to string) {
	for {
		require.NoError(t, os.RemoveAll(to))
		before := listing(t, from)
		err := copyFiles(from, to)
		if err == nil && listing(t, from) == before {
			return
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			require.NoError(t, err)
		}
	}
}

// listing returns names and sizes of a store's files.
func listing(t testing.TB, dir string) string {
	var b strings.Builder
	require.NoError(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if info, err := e.Info(); err == nil {
			fmt.Fprintln(&b, path, info.Size())
		}
		return nil
	}))
	return b.String()
}

func copyFiles(from, to string) error {
	return filepath.WalkDir(from, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		if e.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		return copySparse(path, target)
	})
}

// copySparse copies a file that is mostly holes.
func copySparse(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	for at := int64(0); at < info.Size(); {
		data, err := in.Seek(at, unix.SEEK_DATA)
		if err != nil {
			break // nothing but a hole is left
		}
		if at, err = in.Seek(data, unix.SEEK_HOLE); err != nil {
			return err
		}
		if _, err := io.Copy(io.NewOffsetWriter(out, data), io.NewSectionReader(in, data, at-data)); err != nil {
			return err
		}
	}
	return out.Truncate(info.Size())
}
