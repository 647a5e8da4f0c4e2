package http1

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/protocoltest"
)

// step is a clock tick of the tests: one system call takes this long.
const step = 1000

// everything is a payload that captures all bytes.
const everything = 1 << 30

// wire plays a connection: it makes segments of bytes the way the conn stage
// does and hands them to a handler.
type wire struct {
	conn    *conn.Conn
	handler handler
	// payload is how many bytes are captured of a turn.
	payload int
	// cut splits the bytes of one direction into segments.
	cut func([]byte) [][]byte

	clock   int64
	offsets [2]uint64
	turn    conn.Direction
	began   bool
	budget  int
	task    capture.Task
	// left says that bytes of a direction were left out on purpose.
	left [2]bool
}

// handler is what a parser and a Demux have in common.
type handler interface {
	Segment(s *conn.Segment)
	Tick(now int64)
}

func newConn() *conn.Conn {
	return &conn.Conn{
		Socket: 7,
		Local:  netip.MustParseAddrPort("10.0.0.1:8080"),
		Remote: netip.MustParseAddrPort("[::ffff:10.0.0.2]:50000"),
	}
}

func whole(b []byte) [][]byte { return [][]byte{b} }

func bytewise(b []byte) [][]byte { return slices.Collect(slices.Chunk(b, 1)) }

// at cuts at a place.
func at(n int) func([]byte) [][]byte {
	return func(b []byte) [][]byte {
		n := min(n, len(b))
		return [][]byte{b[:n], b[n:]}
	}
}

func (w *wire) move(d conn.Direction, text string) {
	cut := w.cut
	if cut == nil {
		cut = whole
	}
	for _, part := range cut([]byte(text)) {
		if len(part) > 0 {
			w.segment(d, part)
		}
	}
}

func (w *wire) sent(text string)     { w.move(conn.Sent, text) }
func (w *wire) received(text string) { w.move(conn.Received, text) }

// segment moves bytes in one system call. Data and Tail are copies that are
// overwritten afterwards, as the handler must not keep them.
func (w *wire) segment(d conn.Direction, b []byte) {
	w.clock += step
	turn := !w.began || d != w.turn
	w.began, w.turn = true, d
	if turn {
		w.budget = w.payload
	}
	n := min(w.budget, len(b))
	w.budget -= n
	data, tail := slices.Clone(b[:n]), slices.Clone(b[max(0, len(b)-8):])
	w.handler.Segment(&conn.Segment{
		Conn: w.conn, Direction: d, Turn: turn,
		Offset: w.offsets[d], Size: uint64(len(b)), Data: data, Tail: tail, Skipped: w.left[d],
		Origin: conn.Origin{Time: w.clock, Task: w.task},
	})
	w.offsets[d] += uint64(len(b))
	w.left[d] = false
	for i := range data {
		data[i] = 'X'
	}
	for i := range tail {
		tail[i] = 'X'
	}
}

// lose moves bytes that nobody sees.
func (w *wire) lose(d conn.Direction, n int) { w.offsets[d] += uint64(n) }

// leave moves bytes that the kernel side leaves out.
func (w *wire) leave(d conn.Direction, n int) {
	w.lose(d, n)
	w.left[d] = true
}

func (w *wire) now() conn.Origin { return conn.Origin{Time: w.clock} }

// sink records what a parser finds, and checks what must hold for every exchange.
type sink struct {
	log       []string
	exchanges []*protocol.Exchange
	phases    map[*protocol.Exchange]protocol.Phase
	messages  []conn.Origin
	broken    []string
}

func newSink() *sink { return &sink{phases: map[*protocol.Exchange]protocol.Phase{}} }

var phaseNames = map[protocol.Phase]string{
	protocol.RequestBegan:  "began",
	protocol.RequestRead:   "read",
	protocol.ResponseBegan: "answered",
	protocol.Ended:         "ended",
}

func (s *sink) Exchange(e *protocol.Exchange, p protocol.Phase) {
	before, known := s.phases[e]
	if !known {
		s.exchanges = append(s.exchanges, e)
		s.check(p == protocol.RequestBegan, "first phase is %d", p)
	}
	s.check(p > before, "phase %d after %d", p, before)
	s.phases[e] = p
	s.log = append(s.log, fmt.Sprintf("%s %d@%d", phaseNames[p], e.Request.First.Time/step, e.Place))
	if p == protocol.Ended {
		s.checkEnded(e)
	}
}

func (s *sink) checkEnded(e *protocol.Exchange) {
	s.check(e.End.Time >= e.Request.First.Time, "ends before it begins")
	s.check(e.End.Time >= e.Response.Last.Time, "ends before its response")
	s.check(e.Request.Last.Time >= e.Request.First.Time, "request ends before it begins")
	s.check(e.Response.Last.Time >= e.Response.First.Time, "response ends before it begins")
	s.check(e.Request.Size >= 0 && e.Response.Size >= 0, "negative size")
	s.check(e.Name != "", "no name")
	s.check(e.Failed == (e.ErrorType != "") || e.ErrorType == protocol.CaptureEnded, "failed without error.type")
	s.check(e.Thinning.Out == (e.Details == nil), "details of what is left out")
	if e.Details == nil {
		return
	}
	for key, value := range protocoltest.AttributesOf(e).All() {
		s.check(value.Type() != pcommon.ValueTypeInt || value.Int() >= 0, "%s is %s", key, value.AsString())
		s.check(utf8.ValidString(value.AsString()), "%s is not UTF-8", key)
	}
}

func (s *sink) check(ok bool, format string, args ...any) {
	if !ok {
		s.broken = append(s.broken, fmt.Sprintf(format, args...))
	}
}

func (s *sink) Connect(*conn.Conn) {}

func (s *sink) Message(by conn.Origin) { s.messages = append(s.messages, by) }
func (s *sink) Wake(conn.Wake)         {}
func (s *sink) Tick(int64)             {}

// open counts the exchanges without the phase Ended.
func (s *sink) open() (n int) {
	for _, p := range s.phases {
		if p != protocol.Ended {
			n++
		}
	}
	return n
}

// fixture is a parser between a wire and a sink.
type fixture struct {
	*wire
	t      *testing.T
	parser protocol.Parser
	sink   *sink
	losses *loss.Counts
}

func newFixture(t *testing.T, payload int) *fixture {
	f := &fixture{t: t, sink: newSink(), losses: &loss.Counts{}}
	c := newConn()
	f.parser = New(Options{}, f.losses).NewParser(c, f.sink)
	f.wire = &wire{conn: c, handler: f.parser, payload: payload}
	return f
}

// close ends the connection the way the conn stage does.
func (f *fixture) close(cause conn.Cause) {
	f.clock += step
	f.parser.End(conn.Received, cause, f.now())
	f.parser.End(conn.Sent, cause, f.now())
	require.Empty(f.t, f.sink.broken)
	require.Zero(f.t, f.sink.open(), "exchanges without an end")
}

// ended returns the only exchange, which must have ended.
func (f *fixture) ended() *protocol.Exchange {
	f.t.Helper()
	require.Len(f.t, f.sink.exchanges, 1)
	e := f.sink.exchanges[0]
	require.Equal(f.t, protocol.Ended, f.sink.phases[e])
	require.Empty(f.t, f.sink.broken)
	return e
}

// lost returns what was lost, by reason.
func (f *fixture) lost() map[string]int64 {
	lost := map[string]int64{}
	f.losses.Each(func(r loss.Reason, n int64) {
		if n > 0 {
			lost[r.String()] = n
		}
	})
	return lost
}

// describe writes down what must not depend on how the bytes came.
func describe(e *protocol.Exchange) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s side=%d place=%d request=%d,%t response=%d,%t error=%q failed=%t contexts=%d", e.Name, e.Side, e.Place,
		e.Request.Size, e.Request.Complete, e.Response.Size, e.Response.Complete, e.ErrorType, e.Failed, len(e.Contexts))
	for key, value := range protocoltest.AttributesOf(e).All() {
		fmt.Fprintf(&b, " %s=%s", key, value.AsString())
	}
	return b.String()
}

func describeAll(exchanges []*protocol.Exchange) []string {
	var all []string
	for _, e := range exchanges {
		all = append(all, describe(e))
	}
	return all
}
