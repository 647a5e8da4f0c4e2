// Package protocoltest plays connections to protocols' parsers in tests: it makes segments of
// bytes the way the conn stage does, and checks what must hold for every exchange.
package protocoltest

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
)

// Step is how long a system call takes, in nanoseconds.
const Step = 1000

// Everything is a payload that captures all bytes.
const Everything = 1 << 30

// Wire is a connection with a parser at its end, which is both ends' one: what is Sent
// makes it the client's if it is a request.
type Wire struct {
	T      *testing.T
	Conn   *conn.Conn
	Parser protocol.Parser
	Sink   *Sink
	Losses *loss.Counts
	// Payload is how many bytes are captured of a turn.
	Payload int
	// Size is how many bytes a system call moves at most; 0 is all.
	Size int
	// Frames says that each system call begins with a frame, by the kernel side's account.
	Frames bool
	// Clock is the time, Task who calls.
	Clock int64
	Task  capture.Task

	offsets [2]uint64
	turn    conn.Direction
	began   bool
	budget  int
}

// New makes a wire to the parser that a protocol makes. The first byte of each direction
// has the given place.
func New(t *testing.T, p func(*loss.Counts) protocol.Protocol, payload int, place uint64) *Wire {
	w := &Wire{
		T: t, Sink: NewSink(), Losses: &loss.Counts{},
		Payload: payload, offsets: [2]uint64{place, place},
		Conn: &conn.Conn{
			Socket: 7,
			Local:  netip.MustParseAddrPort("10.0.0.1:50000"),
			Remote: netip.MustParseAddrPort("[::ffff:10.0.0.2]:6379"),
		},
	}
	w.Parser = p(w.Losses).NewParser(w.Conn, w.Sink)
	return w
}

// Sent moves text from this end, in one system call or in such of Size bytes.
func (w *Wire) Sent(text string) { w.Move(conn.Sent, text) }

// Received moves text to this end.
func (w *Wire) Received(text string) { w.Move(conn.Received, text) }

// Move moves text in a direction.
func (w *Wire) Move(d conn.Direction, text string) {
	size := w.Size
	if size <= 0 {
		size = len(text)
	}
	for len(text) > 0 {
		n := min(size, len(text))
		w.segment(d, []byte(text[:n]))
		text = text[n:]
	}
}

// segment moves bytes in one system call. Data and Tail are overwritten afterwards, as
// nobody must keep them.
func (w *Wire) segment(d conn.Direction, b []byte) {
	w.Clock += Step
	turn := !w.began || d != w.turn
	w.began, w.turn = true, d
	if turn {
		w.budget = w.Payload
	}
	n := min(w.budget, len(b))
	w.budget -= n
	data, tail := slices.Clone(b[:n]), slices.Clone(b[max(0, len(b)-8):])
	w.Parser.Segment(&conn.Segment{
		Conn: w.Conn, Direction: d, Turn: turn, Offset: w.offsets[d], Size: uint64(len(b)), Data: data, Tail: tail,
		Frames: w.Frames,
		Origin: conn.Origin{Time: w.Clock, Task: w.Task},
	})
	w.offsets[d] += uint64(len(b))
	for i := range data {
		data[i] = 'X'
	}
	for i := range tail {
		tail[i] = 'X'
	}
}

// Lose moves bytes that nobody sees.
func (w *Wire) Lose(d conn.Direction, n int) { w.offsets[d] += uint64(n) }

// Repeat delivers the last n bytes' places once more.
func (w *Wire) Repeat(d conn.Direction, n int) { w.offsets[d] -= min(w.offsets[d], uint64(n)) }

// Now is the time and nobody.
func (w *Wire) Now() conn.Origin { return conn.Origin{Time: w.Clock} }

// Close ends the connection the way the conn stage does.
func (w *Wire) Close(cause conn.Cause) {
	w.T.Helper()
	w.Clock += Step
	w.Parser.End(conn.Received, cause, w.Now())
	w.Parser.End(conn.Sent, cause, w.Now())
	w.Check()
	require.Zero(w.T, w.Sink.Open(), "exchanges without an end")
}

// Check fails the test where an exchange was not as each must be.
func (w *Wire) Check() {
	w.T.Helper()
	w.Sink.Check(w.T)
}

// Exchanges returns all exchanges, each of which must have ended.
func (w *Wire) Exchanges() []*protocol.Exchange {
	w.T.Helper()
	w.Check()
	require.Zero(w.T, w.Sink.Open(), "exchanges without an end")
	return w.Sink.Exchanges
}

// Lost returns what was lost, by reason.
func (w *Wire) Lost() map[string]int64 {
	lost := map[string]int64{}
	w.Losses.Each(func(r loss.Reason, n int64) {
		if n > 0 {
			lost[r.String()] = n
		}
	})
	return lost
}

// Sink records what a parser finds.
type Sink struct {
	Log       []string
	Exchanges []*protocol.Exchange
	phases    map[*protocol.Exchange]protocol.Phase
	broken    []string
}

// NewSink returns an empty one.
func NewSink() *Sink { return &Sink{phases: make(map[*protocol.Exchange]protocol.Phase)} }

// Check fails the test where an exchange was not as each must be.
func (s *Sink) Check(t *testing.T) {
	t.Helper()
	require.Empty(t, s.broken)
}

var phaseNames = map[protocol.Phase]string{
	protocol.RequestBegan:  "began",
	protocol.RequestRead:   "read",
	protocol.RequestWhole:  "whole",
	protocol.RequestTaken:  "taken",
	protocol.ResponseBegan: "answered",
	protocol.Ended:         "ended",
}

// Exchange implements protocol.Sink.
func (s *Sink) Exchange(e *protocol.Exchange, p protocol.Phase) {
	before, known := s.phases[e]
	if !known {
		s.Exchanges = append(s.Exchanges, e)
		s.check(p == protocol.RequestBegan, "first phase is %d", p)
	}
	s.check(p > before, "phase %d after %d", p, before)
	s.phases[e] = p
	s.Log = append(s.Log, fmt.Sprintf("%s %d", phaseNames[p], e.Place))
	if p == protocol.Ended {
		s.checkEnded(e)
	}
}

func (s *Sink) checkEnded(e *protocol.Exchange) {
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
	for key, value := range AttributesOf(e).All() {
		s.check(value.Type() != pcommon.ValueTypeInt || value.Int() >= 0, "%s is %s", key, value.AsString())
		s.check(utf8.ValidString(value.AsString()), "%s is not UTF-8", key)
	}
}

func (s *Sink) check(ok bool, format string, args ...any) {
	if !ok {
		s.broken = append(s.broken, fmt.Sprintf(format, args...))
	}
}

// Connect implements protocol.Sink.
func (*Sink) Connect(*conn.Conn) {}

// Message implements protocol.Sink.
func (s *Sink) Message(by conn.Origin) {
	s.Log = append(s.Log, fmt.Sprintf("message to %d", by.Task.TID))
}

// Wake implements protocol.Sink.
func (*Sink) Wake(conn.Wake) {}

// Tick implements protocol.Sink.
func (*Sink) Tick(int64) {}

// Open counts the exchanges without the phase Ended.
func (s *Sink) Open() (n int) {
	for _, p := range s.phases {
		if p != protocol.Ended {
			n++
		}
	}
	return n
}

// AttributesOf returns what an exchange tells of itself.
func AttributesOf(e *protocol.Exchange) pcommon.Map {
	var a protocol.Attributes
	e.Details.AddAttributes(&a)
	m := pcommon.NewMap()
	a.MoveTo(m)
	return m
}

// Value returns an attribute as text, a list with commas, "" where it is missing.
func Value(e *protocol.Exchange, key string) string {
	value, ok := AttributesOf(e).Get(key)
	switch {
	case !ok:
		return ""
	case value.Type() != pcommon.ValueTypeSlice:
		return value.AsString()
	}
	var texts []string
	for _, v := range value.Slice().All() {
		texts = append(texts, v.AsString())
	}
	return strings.Join(texts, ",")
}

// Describe writes down what must not depend on how the bytes came.
func Describe(e *protocol.Exchange) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s side=%d place=%d request=%d,%t response=%d,%t error=%q failed=%t contexts=%d", e.Name, e.Side, e.Place,
		e.Request.Size, e.Request.Complete, e.Response.Size, e.Response.Complete, e.ErrorType, e.Failed, len(e.Contexts))
	for key, value := range AttributesOf(e).All() {
		fmt.Fprintf(&b, " %s=%s", key, value.AsString())
	}
	return b.String()
}

// Instruct carries out one instruction of a fuzzed script: op says what and in which
// direction, n how much, of the texts of both directions.
func (w *Wire) Instruct(op byte, n int, texts *[2][]byte) {
	d := conn.Direction(op & 1)
	switch op >> 4 {
	case 2:
		w.Lose(d, n)
	case 3:
		w.Repeat(d, n)
	case 4:
		w.Parser.Tick(w.Clock + int64(n)*1e9/16)
	case 5:
		w.Parser.End(d, conn.EOF, w.Now())
	case 6:
		w.Clock -= int64(n) * Step
	case 9:
		w.Frames = n&1 != 0
	case 7:
		w.offsets[d] += uint64(n) << 56
	default:
		n = min(n, len(texts[d]))
		w.Move(d, string(texts[d][:n]))
		texts[d] = texts[d][n:]
	}
}
