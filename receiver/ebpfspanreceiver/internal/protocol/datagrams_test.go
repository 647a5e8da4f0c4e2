package protocol

import (
	"strings"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/thin"
)

// spoken is a protocol whose datagrams begin with its name.
type spoken struct {
	magic
	flows *[]*talking
}

func (m spoken) ClassifyDatagram(d *conn.Datagram) bool {
	return strings.HasPrefix(string(d.Data), m.name)
}

func (m spoken) NewFlow(*conn.Conn, Sink) Flow {
	f := &talking{}
	*m.flows = append(*m.flows, f)
	return f
}

// talking is a flow that waits from one datagram to the next.
type talking struct {
	got   []string
	ticks []int64
	ends  []conn.Cause
}

func (f *talking) Datagram(d *conn.Datagram)           { f.got = append(f.got, string(d.Data)) }
func (f *talking) End(cause conn.Cause, _ conn.Origin) { f.ends = append(f.ends, cause) }
func (f *talking) Tick(now int64)                      { f.ticks = append(f.ticks, now) }
func (f *talking) Idle() bool                          { return len(f.got)%2 == 0 }

// marked is a kernel side that writes down which sockets are given up.
type marked []uint64

func (m *marked) Thin(sampling.Threshold, bool) error { return nil }
func (m *marked) Mark(socket uint64, role thin.Role) error {
	if role == thin.None {
		*m = append(*m, socket)
	}
	return nil
}

type datagramFixture struct {
	*Demux
	flows  []*talking
	counts loss.Counts
	marked marked
}

func newDatagramFixture() *datagramFixture {
	f := &datagramFixture{}
	var parsers []*recorder
	f.Demux = New([]Protocol{magic{"stream", &parsers}, spoken{magic{"alpha", &parsers}, &f.flows}}, &ticks{}, &f.counts)
	f.Thinner = thin.New(&f.marked, func() int64 { return 0 }, zap.NewNop())
	return f
}

func newFlowOf(p *conn.Endpoint) *conn.Conn { return &conn.Conn{Socket: p.Socket, Endpoint: p} }

func (f *datagramFixture) move(c *conn.Conn, text string) {
	f.Datagram(&conn.Datagram{Conn: c, Data: []byte(text), Size: uint64(len(text))})
}

// One datagram that is recognised settles what is spoken on its socket, with all peers.
func TestDatagramsAreRecognised(t *testing.T) {
	f := newDatagramFixture()
	socket := &conn.Endpoint{Socket: 1}
	a, b := newFlowOf(socket), newFlowOf(socket)
	f.move(a, "noise")
	assert.Empty(t, f.flows)
	f.move(a, "alpha one")
	f.move(b, "two")
	f.move(b, "three")
	require.Len(t, f.flows, 2)
	assert.Equal(t, []string{"alpha one"}, f.flows[0].got)
	assert.Equal(t, []string{"two", "three"}, f.flows[1].got)
	f.Tick(1000)
	assert.NotNil(t, a.State)
	assert.Nil(t, b.State, "it waits for nothing")
	f.Tick(1000 + tickEvery)
	assert.Len(t, f.flows[0].ticks, 2)
	assert.Len(t, f.flows[1].ticks, 1)
	f.move(b, "four")
	require.Len(t, f.flows, 3)
	f.End(a, conn.Received, conn.Closed, conn.Origin{})
	f.End(a, conn.Sent, conn.Closed, conn.Origin{})
	assert.Equal(t, []conn.Cause{conn.Closed}, f.flows[0].ends)
	f.Tick(1000 + 2*tickEvery)
	assert.Len(t, f.Demux.flows, 1)
	f.Closed(socket)
	assert.Nil(t, socket.State)
	assert.Zero(t, f.counts.Get(loss.ProtocolUnknown))
}

// A socket that nobody understands is given up, and the kernel side is told, again and again
// as long as something comes.
func TestDatagramsAreGivenUp(t *testing.T) {
	f := newDatagramFixture()
	socket := &conn.Endpoint{Socket: 1}
	c := newFlowOf(socket)
	f.Datagram(&conn.Datagram{Conn: c, Errno: 111})
	for range maxDatagrams {
		assert.Empty(t, f.marked)
		f.move(c, "noise")
	}
	assert.Equal(t, marked{1}, f.marked)
	assert.EqualValues(t, 1, f.counts.Get(loss.ProtocolUnknown))
	for range remindEvery {
		f.move(c, "alpha")
	}
	assert.Equal(t, marked{1, 1}, f.marked)
	assert.Empty(t, f.flows)
	f.Closed(socket)
	assert.EqualValues(t, 1, f.counts.Get(loss.ProtocolUnknown), "counted once")

	other := &conn.Endpoint{Socket: 2}
	f.move(newFlowOf(other), "noise")
	f.Closed(other)
	assert.EqualValues(t, 2, f.counts.Get(loss.ProtocolUnknown), "it ended unrecognised")
}
