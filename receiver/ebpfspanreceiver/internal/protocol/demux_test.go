package protocol

import (
	"bytes"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// magic is a protocol whose messages begin with its name.
type magic struct {
	name    string
	parsers *[]*recorder
}

func (m magic) Name() string { return m.name }

func (m magic) Classify(b []byte) Verdict {
	switch {
	case bytes.HasPrefix(b, []byte(m.name)):
		return Yes
	case bytes.HasPrefix([]byte(m.name), b):
		return Maybe
	}
	return No
}

func (m magic) NewParser(c *conn.Conn, _ Sink) Parser {
	r := &recorder{protocol: m.name, conn: c}
	*m.parsers = append(*m.parsers, r)
	return r
}

// recorder is a parser that writes down what it gets.
type recorder struct {
	protocol string
	conn     *conn.Conn
	bytes    []byte
	tails    []byte
	segments int
	turns    int
	ends     []conn.Direction
	ticks    []int64
}

func (r *recorder) Segment(s *conn.Segment) {
	r.segments++
	r.bytes = append(r.bytes, s.Data...)
	r.tails = append(r.tails, s.Tail...)
	if s.Turn {
		r.turns++
	}
}

func (r *recorder) End(d conn.Direction, _ conn.Cause, _ conn.Origin) { r.ends = append(r.ends, d) }
func (r *recorder) Tick(now int64)                                    { r.ticks = append(r.ticks, now) }

type ticks []int64

func (*ticks) Exchange(*Exchange, Phase) {}
func (*ticks) Connect(*conn.Conn)        {}
func (*ticks) Message(conn.Origin)       {}
func (s *ticks) Wake(w conn.Wake)        { *s = append(*s, -w.Waker.Time) }
func (s *ticks) Tick(now int64)          { *s = append(*s, now) }

type demuxFixture struct {
	*Demux
	parsers []*recorder
	ticks   ticks
	counts  loss.Counts
	conn    *conn.Conn
	offsets [2]uint64
	last    int
}

func newDemuxFixture(names ...string) *demuxFixture {
	f := &demuxFixture{conn: &conn.Conn{}, last: -1}
	var registry []Protocol
	for _, name := range names {
		registry = append(registry, magic{name, &f.parsers})
	}
	f.Demux = New(registry, &f.ticks, &f.counts)
	return f
}

// move delivers a segment of which the given text was captured, and more bytes
// that were not. The text is overwritten afterwards.
func (f *demuxFixture) move(d conn.Direction, text string, more int) {
	data := []byte(text)
	s := &conn.Segment{
		Conn: f.conn, Direction: d, Turn: f.last != int(d), Offset: f.offsets[d],
		Size: uint64(len(data) + more), Data: data, Tail: slices.Clone(data[max(0, len(data)-8):]),
	}
	f.last = int(d)
	f.offsets[d] += s.Size
	f.Segment(s)
	for i := range data {
		data[i] = 'X'
	}
	for i := range s.Tail {
		s.Tail[i] = 'X'
	}
}

func (f *demuxFixture) end() {
	f.End(f.conn, conn.Received, conn.Closed, conn.Origin{})
	f.End(f.conn, conn.Sent, conn.Closed, conn.Origin{})
}

func TestDemuxRecognises(t *testing.T) {
	f := newDemuxFixture("alpha", "beta")
	f.move(conn.Received, "beta message", 0)
	f.move(conn.Sent, "answer", 10)
	f.end()
	require.Len(t, f.parsers, 1)
	p := f.parsers[0]
	assert.Equal(t, "beta", p.protocol)
	assert.Same(t, f.conn, p.conn)
	assert.Equal(t, "beta messageanswer", string(p.bytes))
	assert.Equal(t, []conn.Direction{conn.Received, conn.Sent}, p.ends)
	assert.Zero(t, f.counts.Get(loss.ProtocolUnknown))
	assert.Nil(t, f.conn.State)
	assert.Empty(t, f.parsed)
}

func TestDemuxWaitsForEnoughBytes(t *testing.T) {
	f := newDemuxFixture("alpha", "alphabet")
	for _, b := range "alph" {
		f.move(conn.Received, string(b), 0)
		require.Empty(t, f.parsers)
	}
	f.move(conn.Received, "abet", 3)
	require.Len(t, f.parsers, 1)
	assert.Equal(t, "alpha", f.parsers[0].protocol, "the first that says Yes")
	assert.Equal(t, "alphabet", string(f.parsers[0].bytes))
	assert.Equal(t, "alphabet", string(f.parsers[0].tails))
	assert.Equal(t, 5, f.parsers[0].segments)
	assert.Equal(t, 1, f.parsers[0].turns)
}

func TestDemuxLooksAtLaterTurns(t *testing.T) {
	tests := map[string]func(f *demuxFixture){
		"other bytes":        func(f *demuxFixture) { f.move(conn.Sent, "in the middle", 0) },
		"an unfinished turn": func(f *demuxFixture) { f.move(conn.Sent, "alp", 0) },
		"bytes not captured": func(f *demuxFixture) { f.move(conn.Sent, "alp", 5); f.move(conn.Sent, "alpha", 0) },
		"nothing captured":   func(f *demuxFixture) { f.move(conn.Sent, "", 5) },
		"a gap":              func(f *demuxFixture) { f.move(conn.Sent, "alp", 0); f.offsets[conn.Sent]++; f.move(conn.Sent, "ha", 0) },
		"not a turn":         func(f *demuxFixture) { f.move(conn.Sent, "x", 0); f.move(conn.Sent, "alpha", 0) },
	}
	for name, begin := range tests {
		f := newDemuxFixture("alpha")
		begin(f)
		require.Empty(t, f.parsers, name)
		f.move(conn.Received, "alpha", 0)
		require.Len(t, f.parsers, 1, name)
		assert.Equal(t, "alpha", string(f.parsers[0].bytes), name)
	}
}

func TestDemuxGivesUp(t *testing.T) {
	f := newDemuxFixture("alpha")
	for i := range maxTurns {
		require.Zero(t, f.counts.Get(loss.ProtocolUnknown))
		f.move(conn.Direction(i%2), "noise", 0)
	}
	assert.EqualValues(t, 1, f.counts.Get(loss.ProtocolUnknown))
	for i := range 2 * maxTurns {
		f.move(conn.Direction(i%2), "alpha", 0)
	}
	assert.Empty(t, f.parsers)
	f.end()
	assert.EqualValues(t, 1, f.counts.Get(loss.ProtocolUnknown), "counted once")
	assert.Nil(t, f.conn.State)
}

func TestDemuxCountsConnectionsThatEndUnrecognised(t *testing.T) {
	f := newDemuxFixture("alpha")
	f.move(conn.Sent, "alp", 0)
	f.end()
	assert.EqualValues(t, 1, f.counts.Get(loss.ProtocolUnknown))
	f.end()
	assert.EqualValues(t, 1, f.counts.Get(loss.ProtocolUnknown), "nothing was moved")
}

func TestDemuxKeepsNoMoreThanItMust(t *testing.T) {
	f := newDemuxFixture(string(bytes.Repeat([]byte("a"), 2*maxPrefix)))
	for range 2 * maxPrefix {
		f.move(conn.Received, "a", 0)
		assert.LessOrEqual(t, len(f.conn.State.(*connection).turn.prefix), maxPrefix)
	}
	assert.Empty(t, f.parsers)
	assert.Equal(t, 1, f.conn.State.(*connection).failed)
}

func TestDemuxTicks(t *testing.T) {
	f := newDemuxFixture("alpha")
	conns := []*conn.Conn{{Socket: 1}, {Socket: 2}, {Socket: 3}}
	for _, c := range conns {
		f.conn, f.offsets, f.last = c, [2]uint64{}, -1
		f.move(conn.Received, "alpha", 0)
	}
	f.conn = conns[0]
	f.end()
	f.Tick(1000)
	f.Tick(1001)
	f.Tick(1000 + tickEvery)
	assert.Equal(t, ticks{1000, 1001, 1000 + tickEvery}, f.ticks)
	assert.Empty(t, f.parsers[0].ticks)
	for _, p := range f.parsers[1:] {
		assert.Equal(t, []int64{1000, 1000 + tickEvery}, p.ticks)
	}
}

func TestDemuxPassesWakesInTheirPlace(t *testing.T) {
	f := newDemuxFixture()
	f.Tick(1)
	f.Wake(conn.Wake{Waker: conn.Origin{Time: 2}})
	f.Tick(3)
	assert.Equal(t, ticks{1, -2, 3}, f.ticks)
}
