package causality

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// A gap in the numbers of a connection's streams is a request that was not seen, which is supposed to be open until
// those are answered that are open now.
func TestGapsInStreamsAreRequestsThatWereNotSeen(t *testing.T) {
	var u unseen
	a, b := &conn.Conn{}, &conn.Conn{}
	step := uint64(0)
	read := func(c *conn.Conn, place uint64, others int) (*request, bool) {
		step++
		r := &request{opened: step, exchange: &protocol.Exchange{Conn: c, Multiplexed: true, Place: place}}
		_, gap := u.reads(r, others)
		return r, gap
	}
	_, gap := read(a, 101, 0)
	assert.False(t, gap, "what was before is over")
	first, gap := read(a, 103, 1)
	assert.False(t, gap)
	_, gap = read(b, 1, 2)
	assert.False(t, gap, "another connection")
	second, gap := read(a, 107, 3)
	assert.True(t, gap)
	assert.True(t, u.some())
	third, gap := read(a, 109, 4)
	assert.False(t, gap)
	u.closes([]*request{first, second, third})
	assert.True(t, u.some())
	u.closes([]*request{third})
	assert.False(t, u.some())
	read(b, 3, 0)
	_, gap = read(a, 113, 1)
	assert.True(t, gap)
	assert.False(t, u.some(), "it may have been open before nothing was")
}

// The connect of a connection that many share is no request's: it is not counted.
func TestTheConnectOfASharedConnectionIsNotCounted(t *testing.T) {
	for _, shared := range []bool{true, false} {
		w := newWorld(t)
		w.completes(w.calls(onThread(1)), onThread(1))
		for range 2 {
			w.reads(onThread(1))
		}
		connected := w.connects(onThread(1))
		w.begins(onThread(1), &protocol.Exchange{Connected: connected, Multiplexed: shared})
		w.begins(onThread(1), &protocol.Exchange{Multiplexed: shared})
		l := &w.ladder.process(1).threads[1].loop
		assert.EqualValues(t, 2, l.line.calls)
		assert.Len(t, l.deeds, 2)
		for i, x := range l.deeds {
			assert.EqualValues(t, i+1, x.act.number)
		}
	}
}
