package http1

import (
	"slices"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// exchange is what is known of an exchange beyond what later stages see.
type exchange struct {
	protocol.Exchange
	parser *parser
	// method is empty where it is not a known one; then originalMethod is what it was.
	method, originalMethod       string
	scheme, path, query, version string
	agent                        string
	// peer is the other end's address, empty where it is not known.
	peer     string
	peerPort uint16
	// status is 0 until it is known.
	status int
	// responded is true once the final response began, ended after phase Ended:
	// nothing of the exchange may change then.
	responded, ended bool
	// kept says that a stream was still in one of its messages then.
	kept bool
	// afterGap says that requests before this one may be missing.
	afterGap bool
	// server is where the request went by its own account.
	server server
	// requestSize and responseSize are the sizes of the bodies, -1 where they
	// cannot be told.
	requestSize, responseSize int64
	// dropped counts the requests after this one, up to the next in the queue,
	// that found the queue full.
	dropped int
}

// maxOpen is how many requests may wait for their responses on one connection.
const maxOpen = 64

// queue holds a connection's requests that wait for their responses, in order:
// RFC 9112, section 9.3.2.
type queue struct {
	open []*exchange
	// usual is room for the one request that most connections have open.
	usual [1]*exchange
	// dropped counts the requests before the first in open, or where there is
	// none the last ones, that are not kept but will be answered.
	dropped int
}

func (q *queue) full() bool { return len(q.open) >= maxOpen }

func (q *queue) push(e *exchange) {
	if q.open == nil {
		q.open = q.usual[:0]
	}
	q.open = append(q.open, e)
	if len(q.open) > len(q.usual) {
		q.usual[0] = nil // all moved
	}
}

// drop notes a request that found no room.
func (q *queue) drop() { q.open[len(q.open)-1].dropped++ }

// front returns whose the next response is: nil and true for a request that
// found no room, nil and false for nobody's.
func (q *queue) front() (e *exchange, waiting bool) {
	switch {
	case q.dropped > 0:
		return nil, true
	case len(q.open) > 0:
		return q.open[0], true
	}
	return nil, false
}

// pop removes what front returned.
func (q *queue) pop() {
	if q.dropped > 0 {
		q.dropped--
		return
	}
	q.dropped = q.open[0].dropped
	q.open = slices.Delete(q.open, 0, 1)
}
