package capture

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// Records of different lengths go round a small ring several times: each must come
// whole, also where it goes round the end, and once.
func TestRingGoesRound(t *testing.T) {
	const size, asked = 64 << 10, 600
	c := startChild(t)
	var losses loss.Counts
	k, err := NewKernel(KernelOptions{PayloadSize: 1024, RingBufferSize: size, Losses: &losses, Logger: zap.NewNop()})
	require.NoError(t, err)
	defer func() { require.NoError(t, k.Close()) }()
	require.NoError(t, k.Trace(c.pid(), nil))

	request := func(i int) string { return fmt.Sprintf("request %d %s", i, strings.Repeat("x", i%509)) }
	events := collect(t, k, c.pid(), func() {
		for i := range asked {
			c.ask(request(i))
			// However busy the machine is, the reader is never far behind.
			require.Eventually(t, func() bool {
				return atomic.LoadUint64(k.ring.produced)-atomic.LoadUint64(k.ring.consumed) < size/2
			}, time.Minute, time.Millisecond)
		}
	})
	require.Zero(t, losses.Get(loss.RingBufferFull), "the reader keeps up with one request at a time")
	require.Zero(t, losses.Get(loss.EventMalformed))
	var sent []string
	for _, e := range ofKind(events, Send) {
		if strings.HasPrefix(string(e.Data), "request ") { // the answers are in capitals
			sent = append(sent, string(e.Data))
		}
	}
	require.Len(t, sent, asked)
	for i, s := range sent {
		require.Equal(t, request(i), s)
	}
	assert.Greater(t, k.ring.position, uint64(4*size), "it went round")
	assert.NotEmpty(t, k.ring.joined, "a record went round the end")
}

func TestRingWaits(t *testing.T) {
	k := newKernel(t, &loss.Counts{})
	began := time.Now()
	require.NoError(t, k.ring.wait(20*time.Millisecond))
	assert.Less(t, time.Since(began), 10*time.Second)
	// The end of a traced process is reported at once: its wake-up ends the pause.
	woken := make(chan error)
	go func() { woken <- k.ring.wait(time.Minute) }()
	deadline := time.After(30 * time.Second)
	for {
		c := startChild(t)
		require.NoError(t, k.Trace(c.pid(), nil)) // children of this process are not, otherwise
		c.stop()
		select {
		case err := <-woken:
			require.NoError(t, err)
			return
		case <-deadline:
			require.Fail(t, "nothing woke the reader")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func TestPacer(t *testing.T) {
	tests := map[string]struct {
		perSecond float64
		low, high time.Duration
	}{
		"nothing":      {0, pollInterval, pollInterval},
		"little":       {1_000, pollInterval, pollInterval},
		"some":         {80_000, 12 * time.Millisecond, 13200 * time.Microsecond},
		"much":         {200_000, 4800 * time.Microsecond, 5400 * time.Microsecond},
		"more than it": {10_000_000, minPollInterval, minPollInterval},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPacer(8 << 20)
			for range 100 {
				p.next(int(test.perSecond * p.pause.Seconds()))
			}
			assert.GreaterOrEqual(t, p.pause, test.low)
			assert.LessOrEqual(t, p.pause, test.high)
			for range 100 {
				p.next(0)
			}
			assert.InDelta(t, float64(pollInterval), float64(p.pause), 10, "it rests again")
		})
	}
}
