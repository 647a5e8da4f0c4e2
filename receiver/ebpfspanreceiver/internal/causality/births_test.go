package causality

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// starts plays other connections whose goroutines are started meanwhile.
func (w *world) starts(ids ...uint64) {
	for _, id := range ids {
		task := onGoroutine(id, 1)
		w.responds(w.reads(task), task)
	}
}

// Two requests were answered on a connection; the goroutine whose id is of the time of the first one's response calls after
// the second one's.
func TestIdsTellWhichRequestStartedAGoroutine(t *testing.T) {
	for name, of := range map[string]struct {
		id    uint64
		first bool
	}{"the first": {103, true}, "the second": {603, false}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.starts(100)
			r1 := w.reads(onGoroutine(10, 1))
			w.responds(r1, onGoroutine(10, 1))
			w.starts(300, 600)
			r2 := w.reads(onGoroutine(10, 1))
			w.responds(r2, onGoroutine(10, 1))
			k := w.made(onGoroutine(of.id, 10))
			if of.first {
				w.followed(k, r1)
			} else {
				w.followed(k, r2)
			}
		})
	}
}

// The goroutine was started long before the open request was read, in ids: it is not that one's. A call alone has shown
// before that such calls do come after responses.
func TestGoroutineOlderThanTheOpenRequest(t *testing.T) {
	for name, of := range map[string]struct {
		id   uint64
		open bool
	}{"older": {103, false}, "of the open one": {603, true}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			other := onGoroutine(20, 1)
			w.responds(w.reads(other), other)
			w.made(onGoroutine(21, 20))
			w.starts(100)
			r1 := w.reads(onGoroutine(10, 1))
			w.responds(r1, onGoroutine(10, 1))
			w.starts(300, 600)
			r2 := w.reads(onGoroutine(10, 1))
			k := w.made(onGoroutine(of.id, 10))
			w.responds(r2, onGoroutine(10, 1))
			if of.open {
				w.linked(k, r2, MethodGoroutine)
				return
			}
			w.followed(k, r1)
		})
	}
}

// A request that has its call already is not followed by one more, unless requests are followed by several.
func TestFollowedRequestsHaveTheirCall(t *testing.T) {
	for several, likely := range map[int]float64{1: 0.1, 2: 0.9} {
		k := kind{operation: "GET /"}
		m := aftermath{kinds: map[kind]*habit{k: {}}}
		for range 40 {
			r := &request{}
			for range several {
				m.followed(k, r, 1)
			}
		}
		r := &request{}
		assert.InDelta(t, 1, m.room(k, r), 0)
		m.followed(k, r, 0.9)
		assert.InDelta(t, likely, m.room(k, r), 0.15, "%d calls", several)
	}
}

func TestBirths(t *testing.T) {
	var b births
	assert.Greater(t, b.at(105, 100), b.at(140, 100))
	assert.Greater(t, b.at(95, 100), b.at(60, 100))
	assert.Equal(t, b.at(60, 100), b.since(60, 100))
	assert.InDelta(t, 1, b.since(5000, 100), 0, "it may have been started at any time since")
	assert.Less(t, b.since(1, 100), 2*oddBelow)
	for range 200 {
		b.learn(1000, 4000, 1) // many processors keep ids for long
	}
	assert.Greater(t, b.since(1000, 4000), 0.3)
	for range 200 {
		b.learn(1000, 1002, 1)
	}
	assert.Less(t, b.since(1000, 1040), 2*oddBelow)
}

// Calls of several requests come together after the response to a later one: nothing tells whose each is.
func TestLoopCallsOfSeveralResponsesTogether(t *testing.T) {
	for calls, follow := range map[int]bool{1: true, 3: false} {
		w := newWorld(t)
		turn := uint32(1)
		next := func() capture.Task { turn++; return inTurn(turn) }
		for range 20 {
			r := w.reads(next())
			w.responds(r, next())
			k := w.made(next())
			w.now += 10_000_000
			w.linked(k, nil, "")
			turn += 10
		}
		r := w.reads(next())
		w.responds(r, next())
		task := next()
		var k *protocol.Exchange
		for range calls {
			k = w.made(task)
		}
		w.linked(k, nil, "")
		assert.Equal(t, follow, len(w.links[k].Related) == 1, "%d calls", calls)
	}
}
