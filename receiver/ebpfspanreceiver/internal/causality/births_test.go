package causality

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
			w.linked(k, nil, "")
			require.Len(t, w.links[k].Related, 1)
			assert.Same(t, r1, w.links[k].Related[0].Exchange)
			assert.Greater(t, w.links[k].Related[0].Confidence, 0.8)
		})
	}
}

// A call that may be of an answered request, and that ends after the response of the open one, is hardly that one's: who waits
// for its calls is not answered before them. Where calls of the kind never came alone it is.
func TestDoubtfulCallsThatEndAfterTheResponse(t *testing.T) {
	for name, of := range map[string]struct{ alone, outlives, parent bool }{
		"ends before":          {alone: true, parent: true},
		"ends after":           {alone: true, outlives: true},
		"ends after, no doubt": {outlives: true, parent: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			other := onGoroutine(20, 1)
			w.responds(w.reads(other), other)
			if of.alone {
				w.made(onGoroutine(21, 20))
			}
			w.starts(100)
			w.responds(w.reads(onGoroutine(10, 1)), onGoroutine(10, 1))
			w.starts(102)
			r := w.reads(onGoroutine(10, 1))
			k := w.calls(onGoroutine(104, 10))
			if !of.outlives {
				w.completes(k, onGoroutine(104, 10))
			}
			w.responds(r, onGoroutine(10, 1))
			if of.outlives {
				w.completes(k, onGoroutine(104, 10))
			}
			w.linkedAtAll(k)
			assert.Equal(t, of.parent, w.links[k].Parent == r)
			assert.Equal(t, !of.parent, w.links[k].Parent == nil)
		})
	}
}

// linkedAtAll asserts that a call left.
func (w *world) linkedAtAll(call *protocol.Exchange) {
	w.t.Helper()
	w.ladder.Tick(w.now)
	w.ladder.Tick(w.now + maxWait.Nanoseconds()/5)
	require.Contains(w.t, w.links, call)
}

// A goroutine serves its requests one after the other. The newest id is not seen for a while, as all who were started wait for
// something: then the order of ids tells, once the goroutines call, in whatever order they do.
func TestOrderTellsWhichRequestStartedAGoroutine(t *testing.T) {
	w := newWorld(t)
	servant := onGoroutine(10, 1)
	serve := func() *protocol.Exchange {
		w.now += 1_000_000
		r := w.reads(servant)
		w.responds(r, servant)
		return r
	}
	for id := uint64(100); id < 4000; id += 100 {
		serve()
		w.made(onGoroutine(id, 10)) // requests have a call each
	}
	w.ladder.Tick(w.now + maxWait.Nanoseconds())
	var requests, calls []*protocol.Exchange
	for range 5 {
		requests = append(requests, serve())
	}
	w.now += 100_000_000
	for _, id := range []uint64{4500, 4000, 4400, 4100, 4200} {
		calls = append(calls, w.made(onGoroutine(id, 10)))
	}
	for i, of := range []int{4, 0, 3, 1, 2} {
		w.linked(calls[i], nil, "")
		require.Len(t, w.links[calls[i]].Related, 1)
		related := w.links[calls[i]].Related[0]
		assert.Same(t, requests[of], related.Exchange, "call %d", i)
		assert.Greater(t, related.Confidence, 0.7)
	}
}

// Nothing tells which of two requests a goroutine is of: neither its id nor its delay, and no other call shows.
func TestNothingTellsWhichRequestStartedAGoroutine(t *testing.T) {
	w := newWorld(t)
	servant := onGoroutine(10, 1)
	for range 2 {
		w.responds(w.reads(servant), servant)
	}
	w.now += 50_000_000
	k := w.made(onGoroutine(5000, 10))
	w.linked(k, nil, "")
	require.Len(t, w.links[k].Related, 1)
	assert.Less(t, w.links[k].Related[0].Confidence, 0.7)
}

// Whatever a goroutine's id is, it makes it no less doubtful that it is of the open request than the rates at which such calls
// come do.
func TestIDsOnlyRaiseTheDoubt(t *testing.T) {
	w := newWorld(t)
	servant := onGoroutine(10, 1)
	for i := range uint64(20) {
		w.responds(w.reads(servant), servant)
		w.now += 20_000
		w.made(onGoroutine(100*i+100, 10))
	}
	w.starts(2500)
	w.reads(servant)
	w.now += 20_000
	p := w.ladder.processes[1]
	g, m := &p.goroutines, &p.aftermath
	raised, same := 0, 0
	for _, id := range []uint64{2, 1500, 1990, 2095, 2200, 2499, 2501, 2600, 9000} {
		task := onGoroutine(id, 10)
		a := &act{origin: w.at(task)}
		for k := range m.kinds {
			a.to.peer, a.to.path = k.peer, k.path
		}
		d := descent{servant: g.serving[10], born: a.origin.Time, child: id}
		// Each call is counted, so the rates are looked at in a copy.
		rates := *m
		rates.kinds = map[kind]*habit{}
		for k, h := range m.kinds {
			c := *h
			rates.kinds[k] = &c
		}
		spell := d.servant.spell
		byRate, byBoth := rates.doubt(a, &spell), g.doubt(&d, a, m, d.servant.calls(&d, a))
		assert.GreaterOrEqual(t, byBoth, byRate, "id %d", id)
		if byBoth > byRate+0.01 {
			raised++
		} else {
			same++
		}
	}
	assert.Positive(t, raised, "some ids tell")
	assert.Positive(t, same, "others do not")
}

func TestBirths(t *testing.T) {
	var b births
	b.saw(5000)
	assert.Greater(t, b.at(105, 100), b.at(160, 100))
	assert.Greater(t, b.at(95, 100), b.at(40, 100))
	assert.Equal(t, b.at(60, 100), b.during(60, 100))
	assert.InDelta(t, b.during(4900, 100), b.during(101, 100), 0, "it may have been started at any time since")
	for range 200 {
		b.learn(2000, 4000) // many processors keep ids for long
	}
	assert.Greater(t, b.at(2000, 4000), b.at(3990, 4000))
	assert.Greater(t, b.since(2000, 4000), 0.8)
	for range 2000 {
		b.learn(1000, 1002)
	}
	assert.Less(t, b.since(1000, 1040), 0.2)
}

// One processor gives its ids in order.
func TestSwappedBirths(t *testing.T) {
	var b births
	assert.Less(t, b.swapped(33, 48), 1e-3, "16 ids from 33 on are one processor's")
	assert.Greater(t, b.swapped(32, 33), 0.1)
	assert.Greater(t, b.swapped(32, 33), b.swapped(32, 3300))
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

// The goroutines of some requests call late, each after the next response: none had been seen when that was written, so that by its
// id alone each is rather the next request's.
func TestGoroutinesThatCallLateAreInOrder(t *testing.T) {
	const late = 5
	w := newWorld(t)
	server, id := onGoroutine(10, 1), uint64(100)
	serves := func() *protocol.Exchange {
		r := w.reads(server)
		w.responds(r, server)
		id += 2
		return r
	}
	for i := range int64(200) {
		serves()
		child := id
		w.now += 50_000 + 250_000*max(0, i%8-6)
		w.linked(w.made(onGoroutine(child, 10)), nil, "")
		w.now += 100_000
	}
	var requests, calls []*protocol.Exchange
	for range late {
		requests = append(requests, serves())
		w.now += 50_000
		if n := len(requests); n > 1 {
			calls = append(calls, w.made(onGoroutine(id-2, 10)))
		}
		w.now += 200_000
	}
	calls = append(calls, w.made(onGoroutine(id, 10)))
	for i, k := range calls {
		w.linked(k, nil, "")
		related := w.links[k].Related
		require.Len(t, related, 1)
		assert.Same(t, requests[i], related[0].Exchange, i)
	}
}
