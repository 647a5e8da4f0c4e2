// Package protocol turns byte streams into exchanges: a request and its
// response, as one end of a connection saw them. Each protocol is a package of
// its own below this one; package registry lists them.
package protocol

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/thin"
)

// Side is the part that the traced process takes in an exchange.
type Side uint8

// The two sides.
const (
	// Server: the request was received.
	Server Side = iota
	// Client: the request was sent.
	Client
)

// RequestDirection returns the direction in which side s sees requests go.
func (s Side) RequestDirection() conn.Direction {
	if s == Client {
		return conn.Sent
	}
	return conn.Received
}

// Message is one direction of an exchange.
type Message struct {
	// First is the moment and the task that moved the message's first byte.
	First conn.Origin
	// Last is the moment and the task that moved the last byte seen so far.
	Last conn.Origin
	// Size is the number of bytes of its body on the wire seen so far, as far as
	// they can be told from its head.
	Size int64
	// Complete is true once its last byte was seen.
	Complete bool
}

// Details describe an exchange by the semantic conventions of its protocol.
type Details interface {
	// AddAttributes adds what is known to attributes.
	AddAttributes(to *Attributes)
}

// Reusable are Details whose exchange may be used again, once nothing refers to it any more.
type Reusable interface {
	Details
	// Reuse takes the exchange and the details back. They must not be touched afterwards.
	Reuse()
}

// TraceContext is a trace context that an application put into a request.
type TraceContext struct {
	// Propagator names the format, "w3c" for example; package propagation has them all.
	Propagator string
	TraceID    [16]byte
	SpanID     [8]byte
	// Flags are W3C trace flags; formats that have none are translated to them.
	Flags byte
	// Decided is true where the context carries a sampling decision. Without one
	// the flag "sampled" means nothing.
	Decided    bool
	TraceState string
}

// flagSampled is the W3C trace flag "sampled".
const flagSampled = 1

// Decide records the decision to keep the trace, or to drop it.
func (c *TraceContext) Decide(keep bool) {
	c.Decided = true
	c.Flags &^= flagSampled
	if keep {
		c.Flags |= flagSampled
	}
}

// Sampled tells whether the trace was to be kept, and whether that was decided at all.
func (c *TraceContext) Sampled() (keep, decided bool) {
	return c.Decided && c.Flags&flagSampled != 0, c.Decided
}

// Exchange is a request and its response. It is created when the first byte of a
// request was seen, grows while later stages already hold it, and does not change
// any more after the phase Ended.
type Exchange struct {
	Conn *conn.Conn
	Side Side
	// Place is the offset of the request's first byte in its direction, or the protocol's own
	// id of it where requests lie between each other.
	Place uint64
	// Datagram names the request where it is a datagram, which has no place: it is made of
	// what both ends know, and as good as a random number. 0 for others.
	Datagram uint64
	// Asked is who asked for the request where another task writes it, else nil.
	Asked *conn.Origin
	// Opens says that it opens its connection for the exchanges behind it, as logging in does.
	Opens bool
	// Multiplexed says that requests and responses lie between those of others, so that who
	// reads a request reads all of the connection's.
	Multiplexed bool
	// Taken is who works on the request where another task read it, nil where that is
	// not known; set from RequestTaken on.
	Taken *conn.Origin
	// Connected is who connected, for the first request on a connection that this
	// process opened under our eyes, else nil.
	Connected *conn.Origin

	// Thinning is what was decided when the request began. An exchange that is left
	// out still goes through its phases, because it is evidence of what others caused,
	// but it has no details.
	Thinning thin.Verdict

	Request, Response Message
	// End is the moment of the phase Ended and who brought it about: the last byte
	// of the response, or what broke the exchange off. It is never before
	// Request.First.
	End conn.Origin

	// Name is the span's name, of low cardinality.
	Name string
	// Details are what the protocol tells beyond this structure; complete at Ended,
	// nil where the exchange is left out.
	Details Details
	// Contexts are the trace contexts in the request's head; complete at RequestRead.
	Contexts []TraceContext
	// Marks are hashes of the ids in the request's head, of its contexts and others, the one
	// that names the fewest requests first; complete at RequestRead. Exchanges with the
	// same mark carry the same id.
	Marks []uint64
	// ErrorType is the value of error.type, empty for success. Failed says whether
	// the span's status is an error (a 404 is one for a client only).
	ErrorType string
	Failed    bool
	// ErrorMessage describes a failure that has no response (status description).
	ErrorMessage string

	// State is the sink's own: what it knows of the exchange, nil at first.
	State any
}

// Forgotten hands an exchange that has ended back to the protocol that made it: whoever took it from there
// does not refer to it any more. Most sinks leave that to the garbage collector.
func (e *Exchange) Forgotten() {
	e.State = nil
	if d, ok := e.Details.(Reusable); ok {
		d.Reuse()
	}
}

// Phase is a step in the life of an exchange. Phases come in the order below;
// Ended always comes, and last; any other may be missing.
type Phase uint8

// The phases.
const (
	// RequestBegan: its first byte was seen. For a client this is an act of the
	// process (Request.First says whose).
	RequestBegan Phase = iota + 1
	// RequestRead: its head is complete, so that a server can start to work.
	// The task is in Request.Last.
	RequestRead
	// RequestWhole: its last byte was seen, after its head and before its response began. Of servers, where
	// requests lie between each other; it may come after RequestTaken. The moment is in Request.Last.
	RequestWhole
	// RequestTaken: another task than the one that read it works on it.
	RequestTaken
	// ResponseBegan: the response's first byte was seen. For a server this is an
	// act of the process (Response.First says whose).
	ResponseBegan
	// Ended: the response is complete, or will never be.
	Ended
)

// Sink takes exchanges, one call per phase, in order, from one goroutine.
type Sink interface {
	Exchange(e *Exchange, p Phase)
	// Connect passes on that somebody called connect on c, whatever will be spoken there.
	Connect(c *conn.Conn)
	// Message passes on that a task read something that is in no exchange: a message of what an Upgrade has led to.
	Message(by conn.Origin)
	// Wake passes on who made whom ready to run, in its place among the exchanges' phases.
	Wake(w conn.Wake)
	// Tick passes on the conn stage's clock.
	Tick(now int64)
}
