package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"bytes"
	"errors"
	"sync"
)

const (
	// maxRequestBytes bounds the requests into which a sender's spans are cut.
	maxRequestBytes = 512 << 10
	// maxGroupBytes bounds what is stored as one batch. A single span may be larger, up
	// to maxBatchBytes.
	maxGroupBytes = 1 << 20
	maxBatchBytes = 16 << 20
)

// commitGroup is what is stored as one batch: the requests that came while the
// batch before was being stored. So senders wait for one write, and small requests
// do not make small batches.
type commitGroup struct {
	requests []*request
	// bytes is the size of all spans in protobuf, about.
	bytes int
	done  chan struct{}
	// err is valid once done is closed.
	err error
}

// committer puts requests into groups and has them stored, one after the other.
type committer struct {
	store func(*commitGroup) error

	mu sync.Mutex
	// open is the group that still takes requests.
	open *commitGroup
	// turn is held by the request that stores its group.
	turn sync.Mutex
}

// commit returns when r is stored, or could not be.
func (c *committer) commit(r *request) error {
	g, first := c.join(r)
	if !first {
		<-g.done
		return g.err
	}
	c.turn.Lock()
	c.seal(g)
	// A panic must not let the others wait for ever.
	g.err = errors.New("the spans could not be stored")
	defer close(g.done)
	defer c.turn.Unlock()
	g.err = c.store(g)
	return g.err
}

// join adds r to the open group and tells whether it is the group's first request,
// which stores it.
func (c *committer) join(r *request) (g *commitGroup, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	first = c.open == nil || c.open.bytes+r.size > maxGroupBytes
	if first {
		c.open = &commitGroup{done: make(chan struct{})}
	}
	c.open.requests = append(c.open.requests, r)
	c.open.bytes += r.size
	return c.open, first
}

// seal lets no more requests into g.
func (c *committer) seal(g *commitGroup) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == g {
		c.open = nil
	}
}

// data returns the encoded spans of all requests.
func (g *commitGroup) data() []byte {
	if len(g.requests) == 1 {
		return g.requests[0].data
	}
	parts := make([][]byte, len(g.requests))
	for i, r := range g.requests {
		parts[i] = r.data
	}
	return bytes.Join(parts, nil)
}

func (g *commitGroup) spans() int {
	n := 0
	for _, r := range g.requests {
		n += len(r.spans)
	}
	return n
}
