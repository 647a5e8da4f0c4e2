package ebpfspanreceiver

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/metadata"
)

var update = flag.Bool("update", false, "write the golden files anew")

// replay plays a recording through the whole receiver.
func replay(t *testing.T, path string, next consumer.Traces) *spanReceiver {
	t.Helper()
	config := createDefaultConfig().(*Config)
	config.Replay = path
	require.NoError(t, config.Validate())
	r, err := newSpanReceiver(config, receivertest.NewNopSettings(metadata.Type), next)
	require.NoError(t, err)
	require.NoError(t, r.Start(t.Context(), componenttest.NewNopHost()))
	r.running.Wait()
	require.NoError(t, r.Shutdown(t.Context()))
	return r
}

// text renders spans one a line, in the order of their start.
func text(batches []ptrace.Traces) string {
	type line struct {
		start pcommon.Timestamp
		text  string
	}
	var lines []line
	for _, batch := range batches {
		for _, r := range batch.ResourceSpans().All() {
			service, _ := r.Resource().Attributes().Get("service.name")
			for _, scope := range r.ScopeSpans().All() {
				for _, s := range scope.Spans().All() {
					lines = append(lines, line{s.StartTimestamp(), spanText(service.Str(), s)})
				}
			}
		}
	}
	slices.SortFunc(lines, func(a, b line) int {
		if a.start != b.start {
			return int(a.start) - int(b.start)
		}
		return strings.Compare(a.text, b.text)
	})
	var out strings.Builder
	for _, l := range lines {
		out.WriteString(l.text + "\n")
	}
	return out.String()
}

func spanText(service string, s ptrace.Span) string {
	get := func(keys ...string) string {
		for _, key := range keys {
			if v, ok := s.Attributes().Get(key); ok {
				return v.AsString()
			}
		}
		return "-"
	}
	return fmt.Sprintf("%s %s<-%s %s %s %s %s %s %s %v %s links=%d", s.TraceID(), s.SpanID(), s.ParentSpanID(),
		service, s.Kind(), s.Name(), get("url.path", "db.query.text"), get("http.response.status_code", "db.response.status_code", "rpc.response.status_code"), get("error.type"),
		s.EndTimestamp().AsTime().Sub(s.StartTimestamp().AsTime()), get("seqlink.link.method"), s.Links().Len())
}

// Recordings of real programs give the spans in the golden file beside them.
func TestReplayedRecordings(t *testing.T) {
	recordings, err := filepath.Glob("testdata/*.jsonl.gz")
	require.NoError(t, err)
	require.NotEmpty(t, recordings)
	for _, path := range recordings {
		t.Run(filepath.Base(path), func(t *testing.T) {
			var sink consumertest.TracesSink
			r := replay(t, path, &sink)
			got := text(sink.AllTraces())
			golden := strings.TrimSuffix(path, ".jsonl.gz") + ".golden"
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(want), got)
			r.stats.losses.Each(func(reason loss.Reason, n int64) {
				if reason != loss.HeadTooLong { // answers of databases may be long
					assert.Zero(t, n, reason)
				}
			})
			assertTruth(t, sink.AllTraces())
		})
	}
}

// assertTruth checks the links of the recorded services against what they did:
// each hands the number at the end of its request's path on to the next.
func assertTruth(t *testing.T, batches []ptrace.Traces) {
	t.Helper()
	numbers := make(map[pcommon.SpanID]string)
	parents := make(map[pcommon.SpanID]pcommon.SpanID)
	for _, batch := range batches {
		for _, r := range batch.ResourceSpans().All() {
			for _, s := range r.ScopeSpans().At(0).Spans().All() {
				parents[s.SpanID()] = s.ParentSpanID()
				if valueOf(s, "url.query") != "" {
					continue // the truth is in it, and hidden
				}
				if path, ok := s.Attributes().Get("url.path"); ok {
					numbers[s.SpanID()] = filepath.Base(path.Str())
				} else {
					numbers[s.SpanID()] = s.Name() // both ends of a call to a database, or by gRPC
				}
			}
		}
	}
	linked := 0
	for id, parent := range parents {
		if number, ok := numbers[parent]; ok && numbers[id] != "" {
			linked++
			assert.Equal(t, numbers[id], number, "%s below %s", id, parent)
		}
	}
	assert.Positive(t, linked)
}

// valueOf returns an attribute as text, empty where there is none.
func valueOf(s ptrace.Span, key string) string {
	if v, ok := s.Attributes().Get(key); ok {
		return v.AsString()
	}
	return ""
}

func TestReplayIsRepeatable(t *testing.T) {
	var first, second consumertest.TracesSink
	replay(t, "testdata/chain.jsonl.gz", &first)
	replay(t, "testdata/chain.jsonl.gz", &second)
	assert.Equal(t, text(first.AllTraces()), text(second.AllTraces()))
}

// refusing is a consumer that fails a number of times before it takes a batch.
type refusing struct {
	consumertest.TracesSink
	mu    sync.Mutex
	times int
	err   error
}

func (r *refusing) fail() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.times == 0 {
		return nil
	}
	r.times--
	return r.err
}

func refuser(times int, err error) (*refusing, consumer.Traces) {
	r := &refusing{times: times, err: err}
	next, _ := consumer.NewTraces(func(ctx context.Context, td ptrace.Traces) error {
		if err := r.fail(); err != nil {
			return err
		}
		return r.ConsumeTraces(ctx, td)
	})
	return r, next
}

func TestRetryableRefusalLosesNothing(t *testing.T) {
	var all consumertest.TracesSink
	replay(t, "testdata/chain.jsonl.gz", &all)
	sink, next := refuser(2, errors.New("busy"))
	r := replay(t, "testdata/chain.jsonl.gz", next)
	assert.Equal(t, all.SpanCount(), sink.SpanCount())
	assert.Zero(t, r.stats.losses.Get(loss.ConsumerRefused))
}

func TestPermanentRefusalIsCounted(t *testing.T) {
	var all consumertest.TracesSink
	replay(t, "testdata/chain.jsonl.gz", &all)
	sink, next := refuser(1, consumererror.NewPermanent(errors.New("never")))
	r := replay(t, "testdata/chain.jsonl.gz", next)
	refused := r.stats.losses.Get(loss.ConsumerRefused)
	assert.Positive(t, refused)
	assert.Equal(t, all.SpanCount(), sink.SpanCount()+int(refused))
}

func TestRecordedTruncationIsReported(t *testing.T) {
	whole, err := os.ReadFile("testdata/chain.jsonl.gz")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "cut.jsonl.gz")
	require.NoError(t, os.WriteFile(path, whole[:len(whole)/2], 0o600))
	var sink consumertest.TracesSink
	replay(t, path, &sink)
	assert.Positive(t, sink.SpanCount(), "what is before the cut is used")
	for _, batch := range sink.AllTraces() {
		for _, r := range batch.ResourceSpans().All() {
			for _, s := range r.ScopeSpans().At(0).Spans().All() {
				assert.GreaterOrEqual(t, s.EndTimestamp(), s.StartTimestamp())
			}
		}
	}
}

// A span leaves soon after its response, though its connection stays open and idle.
func TestIdleConnectionGivesItsLastSpan(t *testing.T) {
	p := newTestPipeline(t)
	now := time.Now().UnixNano()
	for _, e := range exchangeEvents(now) {
		p.event(&e)
	}
	p.tick(now + int64(time.Second))
	assert.Equal(t, 1, p.spans)
}
