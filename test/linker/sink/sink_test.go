package sink

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/seqlink/seqlink/test/linker/load"
)

// What the generators made arrives as it is: it is counted, and found wrong, because
// nobody joined it.
func TestWalk(t *testing.T) {
	s := &Sink{expect: load.NewGenerator(0, 0, load.Mix{}), checked: map[uint64]*trace{}}
	for host := range load.Hosts {
		g := load.NewGenerator(host, 0, load.Mix{})
		for range 20 {
			b, n := g.Batch(nil, 500, time.Now())
			require.Equal(t, n, s.walk(b))
		}
	}
	r := s.Result()
	require.Greater(t, r.Complete, 5)
	require.Less(t, r.Right, r.Complete, "segments have trace ids of their own")
	require.Zero(t, r.Repeated)
}

// Joined traces, as a linker hands them over, are right.
func TestJoined(t *testing.T) {
	s := &Sink{expect: load.NewGenerator(0, 0, load.Mix{}), checked: map[uint64]*trace{}}
	for host := range load.Hosts {
		b, _ := load.NewGenerator(host, 0, load.Mix{}).Batch(nil, 3000, time.Now())
		td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(b)
		require.NoError(t, err)
		for _, rs := range td.ResourceSpans().All() {
			for _, ps := range rs.ScopeSpans().At(0).Spans().All() {
				ps.SetTraceID([16]byte{1})
			}
		}
		b, err = (&ptrace.ProtoMarshaler{}).MarshalTraces(td)
		require.NoError(t, err)
		s.walk(b)
		s.walk(b[:len(b)-1]) // a message that is cut short does not upset it
	}
	r := s.Result()
	require.Positive(t, r.Complete)
	require.Positive(t, r.Repeated)
}
