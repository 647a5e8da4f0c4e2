package causality

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

const maxWait = 5 * time.Second

// world plays one process to a ladder, a microsecond per deed, and keeps the links.
type world struct {
	t      *testing.T
	ladder *Ladder
	now    int64
	links  map[*protocol.Exchange]Link
	losses loss.Counts
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, links: make(map[*protocol.Exchange]Link)}
	w.ladder = NewLadder(w, maxWait, &w.losses)
	return w
}

// Link implements Sink.
func (w *world) Link(l Link) {
	_, twice := w.links[l.Exchange]
	require.False(w.t, twice, "an exchange must leave once")
	w.links[l.Exchange] = l
}

func (w *world) at(task capture.Task) conn.Origin {
	w.now += 1000
	return conn.Origin{Time: w.now, Task: task}
}

func onThread(tid uint32) capture.Task { return capture.Task{PID: 1, TID: tid} }

func onGoroutine(id, parent uint64) capture.Task {
	return capture.Task{PID: 1, TID: uint32(id % 3), Goroutine: id, ParentGoroutine: parent}
}

// reads plays the arrival of a request.
func (w *world) reads(task capture.Task) *protocol.Exchange {
	return w.begun(&protocol.Exchange{Side: protocol.Server}, task)
}

// readsStream plays the arrival of a request on a connection that many share.
func (w *world) readsStream(task capture.Task) *protocol.Exchange {
	return w.begun(&protocol.Exchange{Side: protocol.Server, Multiplexed: true}, task)
}

// begun plays the arrival of a request that is made as told.
func (w *world) begun(e *protocol.Exchange, task capture.Task) *protocol.Exchange {
	e.Request.First = w.at(task)
	w.ladder.Exchange(e, protocol.RequestBegan)
	e.Request.Last = w.at(task)
	w.ladder.Exchange(e, protocol.RequestRead)
	return e
}

// takes plays that a task begins to work on a request.
func (w *world) takes(e *protocol.Exchange, task capture.Task) {
	origin := w.at(task)
	e.Taken = &origin
	w.ladder.Exchange(e, protocol.RequestTaken)
}

// responds plays the answer to a request.
func (w *world) responds(e *protocol.Exchange, task capture.Task) {
	e.Response.First = w.at(task)
	w.ladder.Exchange(e, protocol.ResponseBegan)
	e.Response.Last, e.End, e.Response.Complete = e.Response.First, e.Response.First, true
	w.ladder.Exchange(e, protocol.Ended)
}

// connects plays a connect; the next call on the connection takes it.
func (w *world) connects(task capture.Task) *conn.Origin {
	origin := w.at(task)
	w.ladder.Connect(&conn.Conn{Connected: &origin})
	return &origin
}

func (w *world) calls(task capture.Task) *protocol.Exchange {
	return w.begins(task, &protocol.Exchange{})
}

// begins plays the writing of a call that is made as told.
func (w *world) begins(task capture.Task, e *protocol.Exchange) *protocol.Exchange {
	e.Side = protocol.Client
	e.Request.First = w.at(task)
	e.Request.Last = e.Request.First
	w.ladder.Exchange(e, protocol.RequestBegan)
	return e
}

// completes plays the arrival of a call's answer.
func (w *world) completes(e *protocol.Exchange, task capture.Task) {
	e.Response.First = w.at(task)
	w.ladder.Exchange(e, protocol.ResponseBegan)
	e.Response.Last, e.End, e.Response.Complete = e.Response.First, e.Response.First, true
	w.ladder.Exchange(e, protocol.Ended)
}

// linked asserts that a call left with this parent by this method.
func (w *world) linked(call, parent *protocol.Exchange, method Method) {
	w.t.Helper()
	w.ladder.Tick(w.now)
	w.ladder.Tick(w.now + maxWait.Nanoseconds()/5)
	w.ladder.Tick(w.now + maxWait.Nanoseconds()/5)
	l, ok := w.links[call]
	require.True(w.t, ok, "the call must have left")
	assert.Same(w.t, parent, l.Parent)
	assert.Equal(w.t, method, l.Method)
}

// waits asserts that a call has not left yet.
func (w *world) waits(call *protocol.Exchange) {
	w.t.Helper()
	w.ladder.Tick(w.now)
	assert.NotContains(w.t, w.links, call)
}
