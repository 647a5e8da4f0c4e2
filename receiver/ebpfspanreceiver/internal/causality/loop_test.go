package causality

import (
	"net/netip"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// What is done for no request, and what is left out, gives the decoder no reason to look at
// a loop's window: it is bounded all the same.
func TestALoopsWindowIsBounded(t *testing.T) {
	const many = 8 * maxTokens
	for name, step := range map[string]func(w *world){
		"calls without requests": func(w *world) { w.completes(w.calls(onThread(1)), onThread(1)) },
		"requests left out":      func(w *world) { w.responds(w.reads(hiding(1)), hiding(1)) },
		"calls left out": func(w *world) {
			r := w.reads(hiding(1))
			w.completes(w.calls(hiding(1)), hiding(1))
			w.responds(r, hiding(1))
		},
		"requests without calls": func(w *world) { w.responds(w.reads(onThread(1)), onThread(1)) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.responds(w.reads(onThread(1)), onThread(1)) // a thread that serves
			for i := range many {
				step(w)
				if i%100 == 0 {
					w.ladder.Tick(w.now)
				}
			}
			th := w.ladder.process(1).threads[1]
			assert.LessOrEqual(t, len(th.loop.tokens), 2*maxTokens)
			assert.LessOrEqual(t, len(th.loop.deeds), 2*maxDeeds)
			assert.LessOrEqual(t, len(th.order.queue), maxQueue)
		})
	}
}

// A server of HTTP/2 acts on a request when it has read all of it: the last bytes of streams come in another
// order than their heads.
func TestRequestsActWhenTheyAreWhole(t *testing.T) {
	w := newWorld(t)
	turn := func(n uint32) capture.Task { return capture.Task{PID: 1, TID: 1, Waits: n} }
	w.calls(turn(1)) // a thread that calls
	before := w.readsStream(turn(2))
	w.calls(turn(2))
	first, second, third := w.readsStream(turn(3)), w.readsStream(turn(3)), w.readsStream(turn(3))
	w.ends(second, turn(3))
	w.ends(first, turn(4))
	w.ends(before, turn(4)) // something was done since

	th := w.ladder.process(1).threads[1]
	assert.Equal(t, []*protocol.Exchange{before, third, second, first}, w.tokens(th))
	assert.Equal(t, []int{3, 3, 4}, []int{th.loop.tokens[1].turn, th.loop.tokens[2].turn, th.loop.tokens[3].turn})
	for i, token := range th.loop.tokens {
		assert.Equal(t, th.loop.dropped+uint64(i), token.number)
		assert.Equal(t, uint64(i+1), token.request.number, "the count goes by the same order")
		if i > 0 {
			assert.Same(t, token.request, th.order.queue[i-1].request, "the first is not waiting any more")
		}
	}
}

// ends plays the last bytes of a request.
func (w *world) ends(e *protocol.Exchange, task capture.Task) {
	e.Request.Last = w.at(task)
	w.ladder.Exchange(e, protocol.RequestWhole)
}

func (w *world) tokens(t *thread) (of []*protocol.Exchange) {
	for _, token := range t.loop.tokens {
		of = append(of, token.request.exchange)
	}
	return of
}

// Where each call asks for something else, they are all one class, and not that of what is read.
func TestNamesOfWhichThereAreManyAreLeftOut(t *testing.T) {
	var l loop
	peer := netip.MustParseAddrPort("192.0.2.1:80")
	numbers := func(name string) [2]int {
		return [2]int{l.number(endpoint{peer: peer, name: name}), l.number(endpoint{peer: peer, name: name, incoming: true})}
	}
	first := numbers("first")
	for i := range 4 * maxClasses {
		numbers(strconv.Itoa(i))
	}
	assert.Equal(t, first, numbers("first"))
	others := numbers("another")
	assert.Equal(t, others, numbers("one more"))
	assert.NotEqual(t, others[0], others[1])
	assert.Less(t, len(l.kinds), maxClasses)
}

// What is written on connections that many share waits for its turn: only responses on one of them, and calls to
// one peer, are in order.
func TestSharedConnectionsAreDecodedByThemselves(t *testing.T) {
	for _, multiplexed := range []bool{true, false} {
		w := newWorld(t)
		var requests []*protocol.Exchange
		for range 2 {
			e := &protocol.Exchange{Side: protocol.Server, Conn: &conn.Conn{}, Multiplexed: multiplexed}
			requests = append(requests, w.begun(e, onThread(1)))
		}
		w.completes(w.calls(onThread(1)), onThread(1))
		for _, e := range requests {
			w.responds(e, onThread(1))
		}
		l := &w.ladder.process(1).threads[1].loop
		l.order()
		assert.Equal(t, multiplexed, l.apiece)
		deeds := l.deeds[len(l.deeds)-2:]
		assert.Equal(t, !multiplexed, deeds[0].inRowOf(deeds[1]))
	}
}
