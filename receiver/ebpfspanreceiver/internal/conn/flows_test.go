package conn

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// datagram is the event of one.
func datagram(kind capture.Kind, socket uint64, remote, text string) *capture.Event {
	return &capture.Event{
		Kind: kind, Time: 1000, Task: capture.Task{PID: 10, TID: 11}, Socket: socket,
		Local: netip.MustParseAddrPort("0.0.0.0:5300"), Remote: netip.MustParseAddrPort(remote),
		Size: uint32(len(text)), Data: []byte(text),
	}
}

func newFlowTable() (*Table, *seen, *loss.Counts) {
	var s seen
	losses := &loss.Counts{}
	return NewTable(&s, losses), &s, losses
}

// A flow is what one socket and one peer say to each other.
func TestFlows(t *testing.T) {
	table, s, losses := newFlowTable()
	const a, b = "10.0.0.1:1000", "10.0.0.2:1000"
	table.Event(datagram(capture.ReceiveDatagram, 1, a, "one"))
	table.Event(datagram(capture.ReceiveDatagram, 1, b, "two"))
	table.Event(datagram(capture.SendDatagram, 1, a, "three"))
	table.Event(datagram(capture.SendDatagram, 2, a, "four"))
	failed := datagram(capture.SendDatagram, 2, a, "five")
	failed.Errno = 111
	table.Event(failed)

	require.Len(t, s.datagrams, 5)
	assert.Equal(t, 3, table.Len())
	d := s.datagrams
	assert.NotSame(t, d[0].Conn, d[1].Conn)
	assert.Same(t, d[0].Conn, d[2].Conn)
	assert.NotSame(t, d[0].Conn, d[3].Conn)
	assert.Same(t, d[0].Conn.Endpoint, d[1].Conn.Endpoint)
	assert.NotSame(t, d[0].Conn.Endpoint, d[3].Conn.Endpoint)
	assert.Equal(t, Received, d[0].Direction)
	assert.Equal(t, Sent, d[2].Direction)
	assert.Equal(t, "three", string(d[2].Data))
	assert.EqualValues(t, 5, d[2].Size)
	assert.EqualValues(t, 111, d[4].Errno)
	assert.Equal(t, netip.MustParseAddrPort(a), d[0].Conn.Remote)
	assert.EqualValues(t, 10, d[0].Conn.PID)
	assert.Equal(t, Origin{1000, capture.Task{PID: 10, TID: 11}}, d[0].Origin)

	table.Event(&capture.Event{Kind: capture.Close, Socket: 1})
	assert.ElementsMatch(t, []ended{{1, Received, Closed}, {1, Sent, Closed}, {1, Received, Closed}, {1, Sent, Closed}}, s.ends)
	assert.Equal(t, []uint64{1}, s.closed)
	assert.Equal(t, 1, table.Len())
	table.Flush(2000)
	assert.Equal(t, []uint64{1, 2}, s.closed)
	assert.Zero(t, table.Len())
	losses.Each(func(r loss.Reason, n int64) { assert.Zero(t, n, r) })
}

// Who does not ask where an answer comes from expects it from whom it asked.
func TestDatagramsFromUnknownPeers(t *testing.T) {
	table, s, _ := newFlowTable()
	table.Event(datagram(capture.SendDatagram, 1, "10.0.0.1:53", "ask"))
	table.Event(datagram(capture.ReceiveDatagram, 1, "0.0.0.0:0", "answer"))
	assert.Same(t, s.datagrams[0].Conn, s.datagrams[1].Conn)
	table.Event(datagram(capture.SendDatagram, 1, "10.0.0.2:53", "ask"))
	table.Event(datagram(capture.ReceiveDatagram, 1, "0.0.0.0:0", "answer"))
	assert.NotSame(t, s.datagrams[0].Conn, s.datagrams[3].Conn, "it may be either's")
	assert.NotSame(t, s.datagrams[2].Conn, s.datagrams[3].Conn)
}

// Flows without datagrams are forgotten after a time; too many are, and counted where
// somebody still has to do with them.
func TestFlowsAreForgotten(t *testing.T) {
	table, s, losses := newFlowTable()
	table.Event(datagram(capture.SendDatagram, 1, "10.0.0.1:53", "ask"))
	later := datagram(capture.SendDatagram, 1, "10.0.0.2:53", "ask")
	later.Time += int64(time.Second)
	table.Event(later)
	table.Tick(1000 + idleFlow)
	assert.Equal(t, 2, table.Len())
	table.Tick(1001 + idleFlow)
	assert.Equal(t, 1, table.Len())
	assert.Equal(t, []ended{{1, Received, Forgotten}, {1, Sent, Forgotten}}, s.ends)
	assert.Empty(t, s.closed)
	table.Tick(later.Time + idleFlow + 1)
	assert.Zero(t, table.Len())
	assert.Equal(t, []uint64{1}, s.closed)
	assert.Empty(t, table.flows.endpoints)
	assert.Zero(t, losses.Get(loss.ConnectionTableFull))

	table.flows.limit = 2
	table.Event(datagram(capture.SendDatagram, 3, "10.0.0.1:53", "ask"))
	table.Event(datagram(capture.SendDatagram, 3, "10.0.0.2:53", "ask"))
	table.Event(datagram(capture.SendDatagram, 3, "10.0.0.3:53", "ask"))
	assert.Equal(t, 2, table.Len())
	assert.Zero(t, losses.Get(loss.ConnectionTableFull), "nothing was open")
	s.datagrams[len(s.datagrams)-2].Conn.State = "something"
	table.Event(datagram(capture.SendDatagram, 3, "10.0.0.4:53", "ask"))
	assert.Equal(t, 2, table.Len())
	assert.EqualValues(t, 1, losses.Get(loss.ConnectionTableFull))
}

// What a process leaves behind ends with it.
func TestFlowsEndWithTheirProcess(t *testing.T) {
	table, s, _ := newFlowTable()
	table.Event(datagram(capture.SendDatagram, 1, "10.0.0.1:53", "ask"))
	other := datagram(capture.SendDatagram, 2, "10.0.0.1:53", "ask")
	other.Task.PID = 20
	table.Event(other)
	table.Event(&capture.Event{Kind: capture.Exit, Task: capture.Task{PID: 10}})
	assert.Equal(t, []ended{{1, Received, Exited}, {1, Sent, Exited}}, s.ends)
	assert.Equal(t, 1, table.Len())
}
