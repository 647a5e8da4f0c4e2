// Package causality finds which incoming request of a process caused each of its
// outgoing calls. It climbs a ladder of evidence (docs/architecture.md,
// "Causality"): the first rung that can decide does, and every link says which
// one it was and how sure it is.
package causality

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// Method names the evidence that a link rests on: the value of seqlink.link.method.
type Method string

// The methods, the strongest first.
const (
	// MethodPayload: the call carries an id that one open request carried.
	MethodPayload Method = "payload"
	// MethodGoroutine: the goroutine that serves the request, or one that it
	// started, made the call.
	MethodGoroutine Method = "goroutine"
	// MethodTask: the task of Python's asyncio that answers the request made the call, or one
	// that it waited for.
	MethodTask Method = "task"
	// MethodThread: the thread had read that request and no other.
	MethodThread Method = "thread"
	// MethodConnect: the request called connect, and this is the connection's
	// first exchange.
	MethodConnect Method = "connect"
	// MethodHandoff: a worker made the call, and woke who answered the request, or answered it.
	MethodHandoff Method = "handoff"
	// MethodLoop: an event loop's order of reading and acting.
	MethodLoop Method = "loop"
	// MethodStatistical: the learned order and delays of calls.
	MethodStatistical Method = "statistical"
	// MethodAfterResponse: the call began after the response to the request that it
	// follows. It makes no parent.
	MethodAfterResponse Method = "after_response"
)

// Link is an exchange whose place in its process is decided.
type Link struct {
	Exchange *protocol.Exchange
	// Parent is the server exchange that caused a client exchange, nil where there
	// is none or it is not known. It may be still going on.
	Parent *protocol.Exchange
	// Method and Confidence (0 to 1) are set where Parent is.
	Method     Method
	Confidence float64
	// RunnerUp is the next likely parent by the same method, nil where none is.
	RunnerUp           *protocol.Exchange
	RunnerUpConfidence float64
	// Related are requests that it has to do with, though none of them is its parent.
	Related []Relation
}

// Relation is a request that a call is related to without being its child.
type Relation struct {
	Exchange *protocol.Exchange
	// Method and Confidence (0 to 1) say how it was found and how sure it is.
	Method     Method
	Confidence float64
}

// Sink takes each exchange once, when it has ended and its parent is decided.
type Sink interface {
	Link(l Link)
}
