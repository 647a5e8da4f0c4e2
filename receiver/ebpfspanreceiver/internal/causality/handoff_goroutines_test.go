package causality

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// job plays a goroutine's call, while a request is open whose goroutine it wakes then where waited is true.
func (w *world) job(worker, server capture.Task, waited bool) (r, k *protocol.Exchange) {
	r = w.reads(server)
	k = w.calls(worker)
	w.wakes(onGoroutine(70, 1), onGoroutine(71, 1), 0) // something else goes on, too
	w.completes(k, worker)
	if waited {
		w.wakes(worker, server, 0)
	}
	w.responds(r, server)
	w.ladder.Tick(w.now + maxWait.Nanoseconds()/5)
	return r, k
}

// A ticker's loop gets into the way of a request now and then, at a lock: that makes it no worker.
func TestGoroutineThatNobodyWaitsFor(t *testing.T) {
	w := newWorld(t)
	ticker, server := onGoroutine(5, 1), onGoroutine(6, 1)
	for range 2 * atLeastCalls {
		_, k := w.job(ticker, server, false)
		assert.Nil(t, w.links[k].Parent)
	}
	r, k := w.job(ticker, server, true)
	assert.Same(t, r, w.links[k].Parent)
	assert.InDelta(t, handoffDoubt, w.links[k].Confidence, 0)
}

// What only the way back tells of a goroutine is believed once it is usual there, or with
// those that the same goroutine started.
func TestGoroutineThatRequestsWaitFor(t *testing.T) {
	for name, worker := range map[string]func(n uint64) capture.Task{
		"one":             func(uint64) capture.Task { return onGoroutine(5, 1) },
		"one for each":    func(n uint64) capture.Task { return onGoroutine(100+n, 5) },
		"of no known one": func(n uint64) capture.Task { return onGoroutine(100+n, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			server := onGoroutine(6, 1)
			var confidence []float64
			for n := range uint64(2 * atLeastCalls) {
				r, k := w.job(worker(n), server, true)
				assert.Same(t, r, w.links[k].Parent)
				confidence = append(confidence, w.links[k].Confidence)
			}
			assert.InDelta(t, unconfirmed, confidence[0], 0)
			assert.Equal(t, name != "of no known one", confidence[2*atLeastCalls-1] > 0.95, confidence)
		})
	}
}

// A client's goroutine that reads for who asked hands over its connection, too, to others: their
// requests are not those that the answer is for.
func TestReadersOfConnectionsHandNothingOver(t *testing.T) {
	w := newWorld(t)
	asker, server := onGoroutine(5, 1), onGoroutine(6, 1)
	reader, writer, another := onGoroutine(15, 9), onGoroutine(16, 9), onGoroutine(17, 9)
	own := func(by capture.Task) *protocol.Exchange {
		asked := w.at(by)
		return w.begins(writer, &protocol.Exchange{Asked: &asked})
	}
	for range 2 * atLeastCalls {
		r := w.reads(server)
		w.completes(own(server), another)
		k := own(asker)
		w.completes(k, reader)
		w.wakes(reader, asker, 0)
		w.wakes(asker, reader, 0)
		w.wakes(reader, another, 0) // it waits for the pool of connections
		w.wakes(another, server, 0)
		w.responds(r, server)
		w.linked(k, nil, "")
	}
	r := w.reads(server)
	k := own(asker)
	w.wakes(server, asker, 0)
	w.completes(k, reader)
	w.wakes(asker, server, 0)
	w.responds(r, server)
	w.linked(k, r, MethodHandoff)
}

// Order and delays alone make no request a goroutine's parent, unless wake-ups are not to be had.
func TestGoroutinesAreNotGuessed(t *testing.T) {
	var h handoff
	k := &call{act: act{origin: conn.Origin{Time: 1, Task: onGoroutine(5, 1)}}, endedAt: 2}
	assert.InDelta(t, unconfirmed, h.limit(k, 0.99), 0)
	h.asked = 1
	assert.InDelta(t, unconfirmed, h.limit(k, 0.99), 0)
	k.endedAt = deafAfter + 2
	assert.InDelta(t, 0.99, h.limit(k, 0.99), 0)
	h.hears(3)
	assert.InDelta(t, unconfirmed, h.limit(k, 0.99), 0)
}
