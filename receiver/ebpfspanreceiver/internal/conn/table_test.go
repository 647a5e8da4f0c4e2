package conn

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// seen records what a table delivers.
type seen struct {
	segments []Segment
	ends     []ended
	connects []*Conn
	ticks    []int64
	wakes    []Wake

	datagrams []Datagram
	closed    []uint64
	streams   []StreamTask
}

type ended struct {
	socket    uint64
	direction Direction
	cause     Cause
}

func (s *seen) Segment(g *Segment) {
	kept := *g
	kept.Data, kept.Tail = []byte(string(g.Data)), []byte(string(g.Tail))
	s.segments = append(s.segments, kept)
}

func (s *seen) End(c *Conn, d Direction, cause Cause, _ Origin) {
	s.ends = append(s.ends, ended{c.Socket, d, cause})
}
func (s *seen) Connect(c *Conn) { s.connects = append(s.connects, c) }
func (s *seen) Wake(w Wake)     { s.wakes = append(s.wakes, w) }
func (s *seen) Tick(now int64)  { s.ticks = append(s.ticks, now) }
func (s *seen) Datagram(d *Datagram) {
	kept := *d
	kept.Data = []byte(string(d.Data))
	s.datagrams = append(s.datagrams, kept)
}
func (s *seen) Closed(p *Endpoint) { s.closed = append(s.closed, p.Socket) }
func (s *seen) Stream(_ *Conn, g StreamTask) {
	s.streams = append(s.streams, g)
}

var (
	identity = capture.Identity{FirstSent: 100, FirstReceived: 200}
	task     = capture.Task{PID: 7, TID: 8}
)

// moved is an event of bytes on socket 5 of which all are captured.
func moved(kind capture.Kind, offset uint64, data string) *capture.Event {
	return &capture.Event{
		Kind: kind, Time: int64(offset) + 1, Task: task, Socket: 5, Identity: identity,
		Offset: offset, Size: uint32(len(data)), Data: []byte(data),
	}
}

func run(events ...*capture.Event) (*seen, *Table) {
	s := &seen{}
	t := NewTable(s, &loss.Counts{})
	for _, e := range events {
		t.Event(e)
	}
	return s, t
}

func TestSegmentsInTurns(t *testing.T) {
	s, _ := run(
		moved(capture.Receive, 0, "G"),
		moved(capture.Receive, 1, "ET /"),
		moved(capture.Send, 0, "HTTP/1.1 200 OK"),
		moved(capture.Receive, 5, "GET /2"),
	)
	require.Len(t, s.segments, 4)
	for i, want := range []struct {
		turn      bool
		direction Direction
		offset    uint64
		data      string
		tail      string
	}{
		{true, Received, 0, "G", "G"},
		{false, Received, 1, "ET /", "ET /"},
		{true, Sent, 0, "HTTP/1.1 200 OK", ".1 200 OK"[1:]},
		{true, Received, 5, "GET /2", "GET /2"},
	} {
		got := s.segments[i]
		assert.Equal(t, want.turn, got.Turn, i)
		assert.Equal(t, want.direction, got.Direction, i)
		assert.Equal(t, want.offset, got.Offset, i)
		assert.Equal(t, want.data, string(got.Data), i)
		assert.Equal(t, want.tail, string(got.Tail), i)
		assert.Equal(t, want.offset+uint64(len(want.data)), got.End(), i)
		assert.Equal(t, task, got.Origin.Task, i)
	}
}

func TestSendIsCompletedAtItsExit(t *testing.T) {
	exit := &capture.Event{Kind: capture.Sent, Time: 9, Task: task, Socket: 5, Identity: identity, Size: 20, Tail: []byte("the tail")}
	s, _ := run(moved(capture.Send, 0, "announced"), exit)
	require.Len(t, s.segments, 2)
	rest := s.segments[1]
	assert.Equal(t, uint64(9), rest.Offset)
	assert.Equal(t, uint64(11), rest.Size)
	assert.Empty(t, rest.Data)
	assert.Equal(t, "the tail", string(rest.Tail))
	assert.False(t, rest.Turn)
}

func TestShortSendIsNotDeliveredTwice(t *testing.T) {
	short := &capture.Event{Kind: capture.Sent, Time: 2, Task: task, Socket: 5, Identity: identity, Size: 4}
	s, _ := run(moved(capture.Send, 0, "abcdefgh"), short, moved(capture.Send, 4, "efghij"))
	require.Len(t, s.segments, 2)
	assert.Equal(t, "abcdefgh", string(s.segments[0].Data))
	assert.Equal(t, uint64(8), s.segments[1].Offset)
	assert.Equal(t, "ij", string(s.segments[1].Data))
	assert.Empty(t, s.ends)
}

func TestSendThatWouldBlock(t *testing.T) {
	again := &capture.Event{Kind: capture.Sent, Task: task, Socket: 5, Identity: identity, Errno: errnoAgain}
	s, table := run(moved(capture.Send, 0, "abc"), again, moved(capture.Send, 0, "abc"))
	assert.Len(t, s.segments, 1, "the bytes that were announced are the bytes that are sent at last")
	assert.Equal(t, 1, table.Len())
}

// A request that goes with the SYN is sent before the peer's first number is known.
func TestIdentityIsCompletedByTheAnswer(t *testing.T) {
	first := moved(capture.Send, 0, "abc")
	first.Identity = capture.Identity{FirstSent: identity.FirstSent}
	s, table := run(first)
	require.Len(t, s.segments, 1)
	assert.Equal(t, first.Identity, s.segments[0].Conn.Identity)
	answer := moved(capture.Receive, 0, "def")
	late := moved(capture.Send, 3, "ghi")
	late.Identity = first.Identity
	for _, e := range []*capture.Event{answer, late} {
		table.Event(e)
		assert.Equal(t, identity, s.segments[0].Conn.Identity)
	}
	assert.Empty(t, s.ends)
	other := moved(capture.Send, 6, "jkl")
	other.Identity.FirstSent++
	table.Event(other)
	assert.Equal(t, []ended{{5, Received, Forgotten}, {5, Sent, Forgotten}}, s.ends)
}

func TestPathsOfUnixSockets(t *testing.T) {
	for name, tt := range map[string]struct {
		local, remote         []byte
		wantLocal, wantRemote string
	}{
		"client": {nil, []byte("/run/app.sock"), "", "/run/app.sock"},
		"server": {[]byte("@app"), nil, "@app", ""},
		"pair":   {nil, nil, "", ""},
		"bytes":  {[]byte("/run/\xff"), nil, "/run/\uFFFD", ""},
	} {
		path := &capture.Event{Kind: capture.Path, Task: task, Socket: 5, Unix: true, LocalPath: tt.local, RemotePath: tt.remote}
		s, _ := run(path, moved(capture.Send, 1<<50, "abc"))
		require.Len(t, s.segments, 1, name)
		c := s.segments[0].Conn
		assert.True(t, c.Unix, name)
		assert.Equal(t, tt.wantLocal, c.LocalPath, name)
		assert.Equal(t, tt.wantRemote, c.RemotePath, name)
	}
}

func TestGapLeavesAHole(t *testing.T) {
	s, _ := run(moved(capture.Receive, 0, "abc"), moved(capture.Receive, 10, "xyz"))
	require.Len(t, s.segments, 2)
	assert.Equal(t, uint64(10), s.segments[1].Offset)
}

func TestEnds(t *testing.T) {
	first := moved(capture.Receive, 0, "x")
	eof := &capture.Event{Kind: capture.Receive, Task: task, Socket: 5, Identity: identity}
	reset := &capture.Event{Kind: capture.Receive, Task: task, Socket: 5, Identity: identity, Errno: 104}
	for name, c := range map[string]struct {
		events []*capture.Event
		want   []ended
		open   int
	}{
		"end of stream": {[]*capture.Event{eof}, []ended{{5, Received, EOF}}, 1},
		"reset":         {[]*capture.Event{reset}, []ended{{5, Received, Reset}, {5, Sent, Reset}}, 0},
		"close after end of stream": {
			[]*capture.Event{eof, {Kind: capture.Close, Task: task, Socket: 5}},
			[]ended{{5, Received, EOF}, {5, Sent, Closed}},
			0,
		},
		"TCP gave up": {
			[]*capture.Event{{Kind: capture.Close, Socket: 5, Errno: 110}},
			[]ended{{5, Received, Reset}, {5, Sent, Reset}},
			0,
		},
		"exit": {
			[]*capture.Event{{Kind: capture.Exit, Task: task}},
			[]ended{{5, Received, Exited}, {5, Sent, Exited}},
			0,
		},
		"another process's exit": {
			[]*capture.Event{{Kind: capture.Exit, Task: capture.Task{PID: 70, TID: 70}}}, nil, 1,
		},
		"close twice": {
			[]*capture.Event{{Kind: capture.Close, Task: task, Socket: 5}, {Kind: capture.Close, Socket: 5, Errno: 104}},
			[]ended{{5, Received, Closed}, {5, Sent, Closed}},
			0,
		},
	} {
		s, table := run(append([]*capture.Event{first}, c.events...)...)
		assert.Equal(t, c.want, s.ends, name)
		assert.Equal(t, c.open, table.Len(), name)
	}
}

func TestReusedInodeIsAnotherConnection(t *testing.T) {
	other := moved(capture.Receive, 0, "y")
	other.Identity = capture.Identity{FirstSent: 1, FirstReceived: 2}
	s, table := run(moved(capture.Receive, 0, "x"), other)
	require.Len(t, s.segments, 2)
	assert.NotSame(t, s.segments[0].Conn, s.segments[1].Conn)
	assert.Equal(t, []ended{{5, Received, Forgotten}, {5, Sent, Forgotten}}, s.ends)
	assert.Equal(t, 1, table.Len())
}

func TestUnidentifiedBytesAreNotPlaced(t *testing.T) {
	e := moved(capture.Receive, 0, "x")
	e.Identity = capture.Identity{}
	s, table := run(e)
	assert.Empty(t, s.segments)
	assert.Equal(t, int64(1), table.losses.Get(loss.IdentityUnstable))
}

func TestTasksOfStreamsReachTheConnection(t *testing.T) {
	by := capture.Task{PID: 1, Goroutine: 7}
	s := &seen{}
	table := NewTable(s, &loss.Counts{})
	for _, e := range []*capture.Event{
		{Kind: capture.StreamAsked, Time: 1, Task: by, Socket: 5, Offset: 1}, // nothing was seen of it
		{Kind: capture.Accept, Time: 2, Socket: 5},
		{Kind: capture.StreamAsked, Time: 3, Task: by, Socket: 5, Offset: 3},
		{Kind: capture.StreamTaken, Time: 4, Task: by, Socket: 5, Offset: 5},
		{Kind: capture.StreamTaken, Time: 5, Task: by, Socket: 5, Offset: 1 << 32},
	} {
		table.Event(e)
	}
	assert.Equal(t, []StreamTask{{3, false, Origin{3, by}}, {5, true, Origin{4, by}}}, s.streams)
}

func TestConnectAndRoundTripReachTheConnection(t *testing.T) {
	peer := netip.MustParseAddrPort("127.0.0.1:80")
	asker := capture.Task{PID: 7, TID: 9, Goroutine: 33}
	s, _ := run(
		&capture.Event{Kind: capture.Connect, Time: 1, Task: task, Socket: 5, Remote: peer},
		&capture.Event{Kind: capture.RoundTrip, Time: 2, Task: asker, Socket: 5},
		moved(capture.Send, 0, "GET /"),
	)
	require.Len(t, s.connects, 1)
	require.Len(t, s.segments, 1)
	c := s.segments[0].Conn
	assert.Same(t, s.connects[0], c)
	assert.Equal(t, &Origin{1, task}, c.Connected)
	assert.Equal(t, &Origin{2, asker}, c.Asked)
	assert.Equal(t, peer, c.Remote)
	assert.Equal(t, identity.FirstSent, c.First(Sent))
	assert.Equal(t, identity.FirstReceived, c.First(Received))
}

func TestFullTableForgetsTheLongestIdle(t *testing.T) {
	s := &seen{}
	var losses loss.Counts
	table := NewTable(s, &losses)
	table.limit = 2
	for socket := range uint64(3) {
		e := moved(capture.Receive, 0, "x")
		e.Socket = socket
		table.Event(e)
	}
	assert.Equal(t, []ended{{0, Received, Forgotten}, {0, Sent, Forgotten}}, s.ends)
	assert.Equal(t, int64(1), losses.Get(loss.ConnectionTableFull))
	table.Flush(9)
	assert.Len(t, s.ends, 6)
	assert.Zero(t, table.Len())
}

func TestWakesPass(t *testing.T) {
	woken := capture.Task{PID: 7, TID: 9}
	s, table := run(&capture.Event{Kind: capture.Wake, Time: 3, Task: task, Woken: woken, Futex: 0x1000})
	assert.Equal(t, []Wake{{Waker: Origin{3, task}, Woken: woken, Futex: 0x1000}}, s.wakes)
	assert.Zero(t, table.Len())
}
