package causality

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

func TestRequestWithoutCallsLeavesAtOnce(t *testing.T) {
	w := newWorld(t)
	r := w.reads(onThread(1))
	w.responds(r, onThread(1))
	require.Contains(t, w.links, r)
	assert.Nil(t, w.links[r].Parent)
}

func TestThreadsKeepTheirCallsApart(t *testing.T) {
	w := newWorld(t)
	r1, r2 := w.reads(onThread(1)), w.reads(onThread(2))
	k2, k1 := w.calls(onThread(2)), w.calls(onThread(1))
	w.completes(k1, onThread(1))
	w.completes(k2, onThread(2))
	w.linked(k1, r1, MethodThread)
	w.linked(k2, r2, MethodThread)
}

func TestCallWithoutRequestHasNoParent(t *testing.T) {
	w := newWorld(t)
	k := w.calls(onThread(1))
	w.completes(k, onThread(1))
	w.linked(k, nil, "")
}

func TestAnsweredRequestGetsNoChild(t *testing.T) {
	w := newWorld(t)
	r := w.reads(onThread(1))
	w.responds(r, onThread(1))
	k := w.calls(onThread(1))
	w.completes(k, onThread(1))
	w.linked(k, nil, "")
}

func TestGoroutines(t *testing.T) {
	w := newWorld(t)
	r1, r2 := w.reads(onGoroutine(10, 1)), w.reads(onGoroutine(20, 1))
	own := w.calls(onGoroutine(20, 1))
	child := w.calls(onGoroutine(11, 10))
	grandchild := w.calls(onGoroutine(12, 11))
	stranger := w.calls(onGoroutine(99, 98))
	for _, k := range []*protocol.Exchange{own, child, grandchild, stranger} {
		w.completes(k, onGoroutine(50, 1))
	}
	w.linked(own, r2, MethodGoroutine)
	w.linked(child, r1, MethodGoroutine)
	w.linked(grandchild, r1, MethodGoroutine)
	w.waits(stranger)
	w.responds(r1, onGoroutine(10, 1))
	w.responds(r2, onGoroutine(20, 1))
	w.linked(stranger, nil, "")
}

// Go's net/http client writes from the connection's goroutine, which the first
// user of the connection started.
// One goroutine reads the requests of all streams and another writes all calls: who works on
// a stream, and who asks for one, is told.
func TestGoroutinesOfStreams(t *testing.T) {
	w := newWorld(t)
	reader, writer := onGoroutine(2, 1), onGoroutine(3, 1)
	one, two := w.readsStream(reader), w.readsStream(reader)
	w.takes(one, onGoroutine(11, 2))
	w.takes(two, onGoroutine(12, 2))
	asked := func(by capture.Task) *protocol.Exchange {
		origin := w.at(by)
		return w.begins(writer, &protocol.Exchange{Asked: &origin, Multiplexed: true})
	}
	second, first, child := asked(onGoroutine(12, 2)), asked(onGoroutine(11, 2)), asked(onGoroutine(20, 11))
	for _, call := range []*protocol.Exchange{first, child, second} {
		w.completes(call, onGoroutine(4, 1))
	}
	w.linked(first, one, MethodGoroutine)
	w.linked(second, two, MethodGoroutine)
	w.linked(child, one, MethodGoroutine)
	w.responds(one, writer)
	w.responds(two, writer)
}

// Where it is not told, the last request that the reader read is not taken for the one.
func TestStreamsOfUnknownGoroutinesAreNotGuessed(t *testing.T) {
	w := newWorld(t)
	reader := onGoroutine(2, 1)
	one, two := w.readsStream(reader), w.readsStream(reader)
	call := w.calls(onGoroutine(11, 2))
	w.completes(call, onGoroutine(11, 2))
	w.responds(one, reader)
	w.responds(two, reader)
	w.linked(call, nil, "")
}

// The result of a call goes to who asked, whoever reads it: a worker that answers to the right request.
func TestWorkersOnStreams(t *testing.T) {
	w := newWorld(t)
	reader, writer, results := onGoroutine(2, 1), onGoroutine(3, 1), onGoroutine(4, 1)
	handlers, workers := []capture.Task{onGoroutine(11, 2), onGoroutine(12, 2)}, []capture.Task{onGoroutine(21, 1), onGoroutine(22, 1)}
	var requests, calls []*protocol.Exchange
	for i := range handlers {
		requests = append(requests, w.readsStream(reader))
		w.takes(requests[i], handlers[i])
	}
	for i := range handlers {
		w.wakes(handlers[i], workers[i], 0)
		origin := w.at(workers[i])
		calls = append(calls, w.begins(writer, &protocol.Exchange{Asked: &origin, Multiplexed: true}))
	}
	for i := range calls {
		w.completes(calls[i], results)
	}
	for i := range calls {
		w.wakes(results, workers[i], 0)
		w.wakes(workers[i], handlers[i], 0)
		w.responds(requests[i], writer)
	}
	for i := range calls {
		w.linked(calls[i], requests[i], MethodHandoff)
	}
}

func TestAskerOutranksWriter(t *testing.T) {
	w := newWorld(t)
	dialler, asker := w.reads(onGoroutine(10, 1)), w.reads(onGoroutine(20, 1))
	asked := w.at(onGoroutine(20, 1))
	k := w.begins(onGoroutine(15, 10), &protocol.Exchange{Asked: &asked})
	w.completes(k, onGoroutine(16, 10))
	w.linked(k, asker, MethodGoroutine)
	w.responds(dialler, onGoroutine(10, 1))
}

// Goroutines move between threads, so threads prove nothing where goroutines
// cannot be told apart.
func TestGoWithoutGoroutineIdsIsNotGuessed(t *testing.T) {
	w := newWorld(t)
	w.ladder.Found(&capture.Process{PID: 1, Runtime: "go"})
	w.reads(onThread(1))
	k := w.calls(onThread(1))
	w.completes(k, onThread(1))
	w.linked(k, nil, "")
}

func TestConnectBelongsToWhoConnects(t *testing.T) {
	w := newWorld(t)
	r1 := w.reads(onThread(1))
	connected := w.connects(onThread(1))
	r2 := w.reads(onThread(1))
	k := w.begins(onThread(1), &protocol.Exchange{Connected: connected})
	w.completes(k, onThread(1))
	w.linked(k, r1, MethodConnect)
	w.responds(r2, onThread(1))
}

// A pool may keep a connection that its opener did not need.
func TestConnectOfAnsweredRequestProvesNothing(t *testing.T) {
	w := newWorld(t)
	opener := w.reads(onThread(1))
	connected := w.connects(onThread(1))
	w.responds(opener, onThread(1))
	user := w.reads(onThread(1))
	k := w.begins(onThread(1), &protocol.Exchange{Connected: connected})
	w.completes(k, onThread(1))
	w.linked(k, user, MethodThread)

	// The same where the connect was undecided between two requests.
	r1, r2 := w.reads(onThread(2)), w.reads(onThread(2))
	connected = w.connects(onThread(2))
	w.responds(r1, onThread(2))
	w.responds(r2, onThread(2))
	user = w.reads(onThread(2))
	k = w.begins(onThread(2), &protocol.Exchange{Connected: connected})
	w.completes(k, onThread(2))
	w.linked(k, user, MethodThread)
}

func TestLoopBothViewsAgree(t *testing.T) {
	w := newWorld(t)
	r1, r2, r3 := w.reads(onThread(1)), w.reads(onThread(1)), w.reads(onThread(1))
	k1, k2, k3 := w.calls(onThread(1)), w.calls(onThread(1)), w.calls(onThread(1))
	w.completes(k2, onThread(1))
	w.completes(k1, onThread(1))
	w.waits(k1)
	w.responds(r2, onThread(1))
	w.responds(r1, onThread(1))
	w.completes(k3, onThread(1))
	w.responds(r3, onThread(1))
	for k, r := range map[*protocol.Exchange]*protocol.Exchange{k1: r1, k2: r2, k3: r3} {
		w.linked(k, r, MethodLoop)
		assert.GreaterOrEqual(t, w.links[k].Confidence, 0.9)
	}
}

// Requests that sleep before their call wake in another order than they came in.
func TestLoopBackwardViewWins(t *testing.T) {
	w := newWorld(t)
	r1, r2, r3 := w.reads(onThread(1)), w.reads(onThread(1)), w.reads(onThread(1))
	of3, of1, of2 := w.calls(onThread(1)), w.calls(onThread(1)), w.calls(onThread(1))
	w.completes(of1, onThread(1))
	w.responds(r1, onThread(1))
	w.completes(of3, onThread(1))
	w.responds(r3, onThread(1))
	w.completes(of2, onThread(1))
	w.responds(r2, onThread(1))
	w.linked(of1, r1, MethodLoop)
	w.linked(of2, r2, MethodLoop)
	w.linked(of3, r3, MethodLoop)
	assert.GreaterOrEqual(t, w.links[of3].Confidence, 0.9)
}

func TestLoopCallsInSequence(t *testing.T) {
	w := newWorld(t)
	r1, r2 := w.reads(onThread(1)), w.reads(onThread(1))
	a1, a2 := w.calls(onThread(1)), w.calls(onThread(1))
	w.completes(a1, onThread(1))
	b1 := w.calls(onThread(1))
	w.completes(a2, onThread(1))
	b2 := w.calls(onThread(1))
	w.completes(b2, onThread(1))
	w.responds(r2, onThread(1))
	w.completes(b1, onThread(1))
	w.responds(r1, onThread(1))
	for k, r := range map[*protocol.Exchange]*protocol.Exchange{a1: r1, b1: r1, a2: r2, b2: r2} {
		w.linked(k, r, MethodLoop)
	}
}

// A proxy begins to write its response before the one behind it is complete.
func TestLoopStreamingResponse(t *testing.T) {
	w := newWorld(t)
	r1, r2 := w.reads(onThread(1)), w.reads(onThread(1))
	k1, k2 := w.calls(onThread(1)), w.calls(onThread(1))
	stream := func(k, r *protocol.Exchange) {
		k.Response.First = w.at(onThread(1))
		w.ladder.Exchange(k, protocol.ResponseBegan)
		r.Response.First = w.at(onThread(1))
		w.ladder.Exchange(r, protocol.ResponseBegan)
	}
	end := func(e *protocol.Exchange) {
		e.Response.Last, e.Response.Complete = w.at(onThread(1)), true
		e.End = e.Response.Last
		w.ladder.Exchange(e, protocol.Ended)
	}
	stream(k2, r2)
	stream(k1, r1)
	for _, e := range []*protocol.Exchange{k1, k2, r1, r2} {
		end(e)
	}
	w.linked(k1, r1, MethodLoop)
	w.linked(k2, r2, MethodLoop)
}

func TestUndecidedCallLeavesInTime(t *testing.T) {
	w := newWorld(t)
	w.reads(onThread(1))
	w.reads(onThread(1))
	k := w.calls(onThread(1))
	w.completes(k, onThread(1))
	w.ladder.Tick(w.now + maxWait.Nanoseconds()/2)
	w.waits(k)
	w.ladder.Tick(w.now + maxWait.Nanoseconds() + 1)
	require.Contains(t, w.links, k)
	assert.Less(t, w.links[k].Confidence, 0.9, "the forward view alone is not believed before it was measured")
	assert.Zero(t, w.ladder.Waiting())
}

func TestFlushLeavesNothingBehind(t *testing.T) {
	w := newWorld(t)
	w.reads(onThread(1))
	w.reads(onThread(1))
	k := w.calls(onThread(1))
	w.completes(k, onThread(1))
	w.ladder.Flush()
	assert.Contains(t, w.links, k)
}

func TestIdleStateIsDropped(t *testing.T) {
	w := newWorld(t)
	r := w.reads(onThread(1))
	w.connects(onThread(1))
	w.responds(r, onThread(1))
	w.ladder.Tick(w.now + 2*connectTimeout)
	assert.Empty(t, w.ladder.connects)
	assert.Empty(t, w.ladder.process(1).threads)
	w.ladder.Exited(1)
	assert.Empty(t, w.ladder.processes)
}

// manners are how a simulated event loop treats its requests.
type manners struct {
	// batch is how many sockets it reads before it runs what became ready.
	batch int
	// sleeps makes each request wait for a random time before its call.
	sleeps bool
	// calls is how many calls each request makes, one after the other.
	calls int
}

// simulate plays a loop under load, and returns how many calls were linked
// rightly, wrongly (with a confidence that makes a parent) and not at all.
func simulate(t *testing.T, h manners, inFlight, requests int) (right, wrong, none int) {
	random := rand.New(rand.NewPCG(1, 2))
	w := newWorld(t)
	type job struct {
		request *protocol.Exchange
		made    int
		call    *protocol.Exchange
	}
	truth := make(map[*protocol.Exchange]*protocol.Exchange)
	var arrived, sleeping, calling, ready []*job
	started := 0
	pick := func(from *[]*job, i int) *job {
		j := (*from)[i]
		*from = append((*from)[:i], (*from)[i+1:]...)
		return j
	}
	for started < requests || len(arrived)+len(sleeping)+len(calling)+len(ready) > 0 {
		w.ladder.Tick(w.now)
		// One turn: wake a sleeper,
		if len(sleeping) > 0 && (random.IntN(4) == 0 || len(calling) == 0) {
			j := pick(&sleeping, random.IntN(len(sleeping)))
			j.call = w.calls(onThread(1))
			truth[j.call] = j.request
			calling = append(calling, j)
		}
		// read some sockets, new requests and answers in random order,
		for range 1 + random.IntN(h.batch) {
			open := len(arrived) + len(sleeping) + len(calling) + len(ready)
			switch {
			case started < requests && open < inFlight && random.IntN(2) == 0:
				started++
				ready = append(ready, &job{request: w.reads(onThread(1))})
			case len(calling) > 0:
				j := pick(&calling, random.IntN(len(calling)))
				w.completes(j.call, onThread(1))
				ready = append(ready, j)
			}
		}
		// and run what is ready, first in first out.
		for len(ready) > 0 {
			j := pick(&ready, 0)
			switch {
			case j.made == h.calls:
				w.responds(j.request, onThread(1))
			case h.sleeps && j.made == 0:
				j.made++
				sleeping = append(sleeping, j)
			default:
				j.made++
				j.call = w.calls(onThread(1))
				truth[j.call] = j.request
				calling = append(calling, j)
			}
		}
	}
	w.ladder.Flush()
	for k, r := range truth {
		l := w.links[k]
		switch {
		case l.Parent == nil || l.Confidence < 0.9:
			none++
		case l.Parent == r:
			right++
		default:
			wrong++
		}
	}
	return right, wrong, none
}

func TestSimulatedLoops(t *testing.T) {
	for name, h := range map[string]manners{
		"one socket a turn, like libuv": {batch: 1, calls: 1},
		"batches, like asyncio":         {batch: 8, calls: 1},
		"three calls in sequence":       {batch: 8, calls: 3},
	} {
		for _, inFlight := range []int{1, 4, 16, 64} {
			right, wrong, none := simulate(t, h, inFlight, 500)
			assert.Zero(t, wrong, "%s, %d in flight", name, inFlight)
			assert.LessOrEqual(t, none, 5*h.calls, "%s, %d in flight", name, inFlight)
			assert.Equal(t, 500*h.calls, right+wrong+none, "%s, %d in flight", name, inFlight)
		}
	}
}

// Timers act on nothing that was read. What they lead to may stay undecided, but few
// of it may be wrong.
func TestSimulatedTimers(t *testing.T) {
	for inFlight, least := range map[int]int{1: 500, 4: 0, 16: 480, 64: 480} {
		right, wrong, none := simulate(t, manners{batch: 8, sleeps: true, calls: 1}, inFlight, 500)
		assert.GreaterOrEqual(t, right, least, "%d in flight", inFlight)
		assert.LessOrEqual(t, wrong, 10, "%d in flight", inFlight)
		assert.Equal(t, 500, right+wrong+none, "%d in flight", inFlight)
	}
}
