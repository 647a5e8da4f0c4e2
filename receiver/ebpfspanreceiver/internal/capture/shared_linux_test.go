package capture

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// strategyVariable names the strategy under test; without it the best one is.
const strategyVariable = "SEQLINK_CAPTURE_TEST_STRATEGY"

// shared is what most tests watch with, one after the other: to load the programs takes
// long on an emulated processor.
var shared *Kernel

// newKernel returns the shared kernel source, which has forgotten what earlier tests did.
func newKernel(t *testing.T, losses *loss.Counts) *Kernel {
	if shared == nil {
		shared = makeKernel(t, &loss.Counts{}, 1<<20)
	}
	k := shared
	k.options.Losses = &loss.Counts{}
	drainAll(t, k, func(*Event) {})
	k.countLosses()
	k.checked = time.Time{}
	k.countMisses(time.Now())
	k.checked = time.Time{}
	require.NoError(t, k.Thin(sampling.AlwaysSampleThreshold, false))
	k.options.Losses = losses
	return k
}

// ownKernel returns a kernel source for one test alone.
func ownKernel(t *testing.T, losses *loss.Counts, ringBuffer int) *Kernel {
	k := makeKernel(t, losses, ringBuffer)
	t.Cleanup(func() { require.NoError(t, k.Close()) })
	return k
}

func makeKernel(t *testing.T, losses *loss.Counts, ringBuffer int) *Kernel {
	strategy := os.Getenv(strategyVariable)
	k, err := NewKernel(KernelOptions{
		Strategy: strategy, PayloadSize: 1024, RingBufferSize: ringBuffer, Losses: losses, Logger: zap.NewNop(),
	})
	require.NoError(t, err, "these tests need root and BTF")
	if strategy != "" && strategy != StrategyAuto {
		require.Equal(t, strategy, k.Strategy())
	}
	return k
}

// collect runs k while during does things, and a moment longer, and returns what
// was seen of the process.
func collect(t *testing.T, k *Kernel, pid uint32, during func()) (events []Event) {
	ctx, cancel := context.WithCancel(t.Context())
	handle := func(e *Event) {
		if e == nil || (e.Task.PID != pid && e.Task.PID != 0) {
			return
		}
		kept := *e
		kept.Data, kept.Tail = append([]byte(nil), e.Data...), append([]byte(nil), e.Tail...)
		events = append(events, kept)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		assert.NoError(t, k.Run(ctx, handle))
	}()
	during()
	time.Sleep(3 * pollInterval)
	cancel()
	<-done
	drainAll(t, k, handle) // on a busy machine the reader may have been behind
	return events
}

func drainAll(t *testing.T, k *Kernel, handle func(*Event)) {
	for {
		found, err := k.drain(handle)
		require.NoError(t, err)
		if found < maxDrain {
			return
		}
	}
}

func ofKind(events []Event, kinds ...Kind) []Event {
	var found []Event
	for _, e := range events {
		for _, k := range kinds {
			if e.Kind == k {
				found = append(found, e)
			}
		}
	}
	return found
}
