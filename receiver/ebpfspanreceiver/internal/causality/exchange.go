package causality

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// request is an incoming exchange that may cause calls.
type request struct {
	exchange *protocol.Exchange
	// read is when and by whom its head was completed.
	read conn.Origin
	// responding is true once the first byte of its response was written.
	responding bool
	ended      bool
}

// call is an outgoing exchange.
type call struct {
	exchange *protocol.Exchange
	// act is the deed that its parent is found by.
	act
	ended bool
	// endedAt is the time of its end.
	endedAt int64
}

// act is something that a request did: it asked for an exchange, called connect,
// or wrote a request.
type act struct {
	origin conn.Origin
	// candidates are the requests that were open when a decision was put off.
	candidates []*request
	// forward is the loop's first guess, and cause the token it rests on.
	forward *request
	cause   *token

	decided    bool
	parent     *request
	method     Method
	confidence float64
}

// settle decides the parent, which may be nil.
func (a *act) settle(parent *request, method Method, confidence float64) {
	a.decided, a.parent, a.method, a.confidence = true, parent, method, confidence
	a.candidates = nil
}

// open reports whether one of the candidates can still tell whose the act was.
func (a *act) open() bool {
	for _, r := range a.candidates {
		if !r.ended {
			return true
		}
	}
	return false
}

// candidate reports whether r was open when the act happened.
func (a *act) candidate(r *request) bool {
	for _, c := range a.candidates {
		if c == r {
			return true
		}
	}
	return false
}
