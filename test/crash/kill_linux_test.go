package crash

import (
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

const (
	window  = 3 * time.Second
	senders = 4
	// tracesPerRequest is how many traces one request has a segment of.
	tracesPerRequest = 50
)

// kills is how often the collector is killed; SEQLINK_CRASH_KILLS changes it.
func kills(t *testing.T) int {
	text := os.Getenv("SEQLINK_CRASH_KILLS")
	if text == "" {
		return 20
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, "SEQLINK_CRASH_KILLS: %q is not a number", text)
	return n
}

// journal is what the senders know.
type journal struct {
	mu           sync.Mutex
	acknowledged map[uint64]bool // by number of the first trace of a request
	together     map[uint64]bool // those of which all segments came within a window
	retries      int
	next         uint64
}

func (j *journal) take() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := j.next
	j.next += tracesPerRequest
	return n
}

// TestAcknowledgedSpansSurviveSIGKILL kills the collector again and again while it is
// under load. Every span that it acknowledged leaves, and always under the same trace
// id; the segments of a trace that came within one window leave under one.
func TestAcknowledgedSpansSurviveSIGKILL(t *testing.T) {
	sink := newBackend(t)
	c := newCollector(t, t.TempDir(), sink.endpoint, window)
	c.start()
	j := &journal{acknowledged: map[uint64]bool{}, together: map[uint64]bool{}, next: 1}
	stop := make(chan struct{})
	var sending sync.WaitGroup
	for range senders {
		client := connect(t, c.endpoint)
		sending.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond): // load, but not more than two cores bear
				}
				j.send(func(service int, first uint64) error {
					return export(client, segments(service, first, tracesPerRequest, 0))
				})
			}
		})
	}
	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	n := kills(t)
	for range n {
		time.Sleep(300*time.Millisecond + time.Duration(rng.Int64N(int64(window/2))))
		c.kill()
		c.start()
	}
	close(stop)
	sending.Wait()

	want := len(j.acknowledged) * tracesPerRequest * spansPerTrace
	require.Greater(t, want, n*1000, "there was load")
	if !assert.Eventually(t, func() bool { return sink.distinct() >= want }, time.Minute, 50*time.Millisecond) {
		require.FailNow(t, "not everything left", "%d of %d spans, %.0f held, %.0f retries\n%s", sink.distinct(), want,
			c.counter("spans_held"), c.counter("flush_retries"), c.output())
	}
	c.stop()
	require.Empty(t, lost(j, sink), "acknowledged traces with spans that never left")
	require.Empty(t, renamed(sink), "spans that left under several trace ids")
	require.Empty(t, torn(j, sink), "traces that came within one window and left as several")
	t.Logf("%d kills, %d requests sent again; %d spans acknowledged, %d left, %d of them twice; %d of %d traces came within one window",
		n, j.retries, want, sink.total, sink.total-len(sink.spans), len(j.together)*tracesPerRequest, len(j.acknowledged)*tracesPerRequest)
}

// send sends the segments of some traces, service after service, each until it is
// acknowledged.
func (j *journal) send(export func(service int, first uint64) error) {
	first := j.take()
	began, retries := time.Now(), 0
	for service := range services {
		for export(service, first) != nil {
			retries++
			time.Sleep(20 * time.Millisecond)
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.acknowledged[first] = true
	j.retries += retries
	if time.Since(began) < window/2 { // the clock of the collector may be read a little later
		j.together[first] = true
	}
}

func lost(j *journal, sink *backend) (traces []uint64) {
	for first := range j.acknowledged {
		for n := first; n < first+tracesPerRequest; n++ {
			for i := range spansPerTrace {
				if sink.spans[spanID(n, i)] == nil {
					traces = append(traces, n)
					break
				}
			}
		}
	}
	return traces
}

func renamed(sink *backend) (spans []uint64) {
	for id, traces := range sink.spans {
		if len(traces) > 1 {
			spans = append(spans, id)
		}
	}
	return spans
}

func torn(j *journal, sink *backend) (traces []uint64) {
	for first := range j.together {
		for n := first; n < first+tracesPerRequest; n++ {
			ids := map[pcommon.TraceID]bool{}
			for i := range spansPerTrace {
				for id := range sink.spans[spanID(n, i)] {
					ids[id] = true
				}
			}
			if len(ids) != 1 {
				traces = append(traces, n)
			}
		}
	}
	return traces
}
