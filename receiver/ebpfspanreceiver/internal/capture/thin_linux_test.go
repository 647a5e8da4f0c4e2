package capture

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"
	"unsafe"

	"github.com/cespare/xxhash/v2"
	"github.com/cilium/ebpf"
	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/bpf"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/thin"
)

// What is put into the kernel side's maps is as large as it expects.
func TestThinningLayout(t *testing.T) {
	spec, err := bpf.LoadTCP()
	require.NoError(t, err)
	assert.EqualValues(t, unsafe.Sizeof(thinning{}), spec.Maps["thinnings"].ValueSize)
	assert.EqualValues(t, unsafe.Sizeof(thin.None), spec.Maps["marks"].ValueSize)
	assert.EqualValues(t, omissions, spec.Maps["omissions"].MaxEntries)
	assert.Equal(t, ebpf.LRUHash, spec.Maps["marks"].Type)
}

// requestKey is the contract between the two sides; protocol.Exchange.Key is the same.
func requestKey(request, response uint32, place uint64) uint64 {
	b := binary.LittleEndian.AppendUint32(nil, request)
	b = binary.LittleEndian.AppendUint32(b, response)
	return xxhash.Sum64(binary.LittleEndian.AppendUint64(b, place))
}

func thresholdOf(t *testing.T, ratio float64) sampling.Threshold {
	threshold, err := sampling.ProbabilityToThreshold(ratio)
	require.NoError(t, err)
	return threshold
}

// thinned starts a child with a connection whose both ends have been seen: the first
// events of each end are returned.
func thinned(t *testing.T) (c *child, k *Kernel, client, server Event) {
	c = startChild(t)
	k = newKernel(t, &loss.Counts{})
	require.NoError(t, k.Trace(c.pid(), nil))
	moves := ofKind(collect(t, k, c.pid(), func() { c.ask("GET /----") }), Send, Receive)
	require.Len(t, moves, 4)
	return c, k, moves[0], moves[1]
}

// The programs leave out those requests whose key is below the threshold, at both
// ends, with their responses; and tell of the gap.
func TestKernelThinsByRequestKey(t *testing.T) {
	c, k, client, server := thinned(t)
	before := k.ThinnedRequests()
	require.NoError(t, k.Thin(thresholdOf(t, 0.4), true))
	require.NoError(t, k.Mark(client.Socket, thin.Client))
	require.NoError(t, k.Mark(server.Socket, thin.Server))
	const n, size = 300, uint64(len("GET /----"))
	moves := ofKind(collect(t, k, c.pid(), func() {
		for i := range n {
			c.ask(fmt.Sprintf("GET /%04d", i))
		}
	}), Send, Sent, Receive)

	seen := 0
	last := uint64(0)
	for i := range uint64(n) {
		place := size * (i + 1)
		if requestKey(client.Identity.FirstSent, client.Identity.FirstReceived, place)>>8 < thresholdOf(t, 0.4).Unsigned() {
			continue
		}
		require.Greater(t, len(moves), seen+3, "request %d is kept", i)
		for j, m := range moves[seen : seen+4] {
			assert.Equal(t, place, m.Offset, "request %d", i)
			assert.Equal(t, fmt.Sprintf("GET /%04d", i), string(m.Data), "move %d", j)
			assert.Equal(t, place > last+size, m.Skipped, "request %d", i)
			assert.True(t, m.Task.Thinned)
		}
		seen += 4
		last = place
	}
	assert.Len(t, moves, seen, "nothing else is delivered")
	assert.InDelta(t, 0.4*n, float64(seen)/4, 0.1*n)
	assert.EqualValues(t, 2*n-seen/2, k.ThinnedRequests()-before)

	require.NoError(t, k.Thin(sampling.AlwaysSampleThreshold, false))
	moves = ofKind(collect(t, k, c.pid(), func() { c.ask("GET /more"); c.ask("GET /more") }), Send, Receive)
	require.Len(t, moves, 8)
	assert.False(t, moves[7].Task.Thinned)
	assert.Zero(t, moves[7].Task.Hidden, "what was hidden is answered")
}

// Bytes in the direction of requests that begin no request go with the one before.
func TestKernelThinsRequestsWhole(t *testing.T) {
	c, k, client, server := thinned(t)
	require.NoError(t, k.Mark(client.Socket, thin.Client))
	require.NoError(t, k.Mark(server.Socket, thin.Server))
	require.NoError(t, k.Thin(thresholdOf(t, 1e-9), true))
	assert.Empty(t, ofKind(collect(t, k, c.pid(), func() { c.ask("GET /----") }), Send, Receive))
	require.NoError(t, k.Thin(sampling.AlwaysSampleThreshold, true))
	assert.Empty(t, ofKind(collect(t, k, c.pid(), func() { c.ask("its body") }), Send, Receive))
	assert.Len(t, ofKind(collect(t, k, c.pid(), func() { c.ask("GET /----") }), Send, Receive), 4)
	require.NoError(t, k.Thin(thresholdOf(t, 1e-9), true))
	assert.Len(t, ofKind(collect(t, k, c.pid(), func() { c.ask("its body") }), Send, Receive), 4)
}

// A connection that nobody told of is not thinned, and one without a role costs nothing
// but its end.
func TestKernelCutsOffUnknownConnections(t *testing.T) {
	c, k, client, server := thinned(t)
	before := k.CutConnections()
	require.NoError(t, k.Thin(thresholdOf(t, 1e-9), true))
	assert.Len(t, ofKind(collect(t, k, c.pid(), func() { c.ask("GET /----") }), Send, Receive), 4)
	require.NoError(t, k.Thin(sampling.AlwaysSampleThreshold, false))
	require.NoError(t, k.Mark(client.Socket, thin.None))
	require.NoError(t, k.Mark(server.Socket, thin.None))
	events := collect(t, k, c.pid(), func() {
		for range 20 {
			c.ask("whatever")
		}
	})
	assert.LessOrEqual(t, len(ofKind(events, Send, Receive)), 4*8, "a mark is taken within 8 turns")
	assert.EqualValues(t, 2, k.CutConnections()-before)
	events = collect(t, k, c.pid(), func() {
		c.ask("whatever")
		c.stop()
		time.Sleep(100 * time.Millisecond)
	})
	assert.Empty(t, ofKind(events, Send, Sent))
	assert.NotEmpty(t, ofKind(events, Close))
	assert.Empty(t, ofKind(events, Receive))
}

// What the programs know of the count of marks wraps round; a mark is taken all the same.
func TestKernelTakesMarksHoweverMany(t *testing.T) {
	c, k, client, _ := thinned(t)
	ask := func(n int) {
		for range n {
			c.ask("whatever")
		}
	}
	collect(t, k, c.pid(), func() { ask(20) })
	for range 255 {
		require.NoError(t, k.Mark(^uint64(0), thin.None))
	}
	before := k.CutConnections()
	require.NoError(t, k.Mark(client.Socket, thin.None))
	collect(t, k, c.pid(), func() { ask(64) })
	assert.EqualValues(t, 1, k.CutConnections()-before)
}

func TestKernelMeasuresItsPrograms(t *testing.T) {
	c, k, _, _ := thinned(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for range 2000 {
			c.ask("GET /----")
		}
	}()
	cores, err := k.RunTime(50 * time.Millisecond)
	<-ended
	require.NoError(t, err)
	assert.Positive(t, cores)
	assert.Less(t, cores, float64(ebpf.MustPossibleCPU()))
}
