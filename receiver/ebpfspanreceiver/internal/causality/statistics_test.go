package causality

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// pool plays a process that reads requests on one thread and hands each to a
// worker that makes two calls, one after the other: no thread tells whose they are.
// It returns the calls with their requests.
func (w *world) pool(requests int) map[*protocol.Exchange]*protocol.Exchange {
	random := rand.New(rand.NewPCG(1, 2))
	delay := func(median float64) int64 { return int64(median * math.Exp(random.NormFloat64()*0.5)) }
	type step struct {
		at int64
		do func()
	}
	var steps []step
	truth := map[*protocol.Exchange]*protocol.Exchange{}
	start := int64(1e9)
	for id := range requests {
		start += int64(random.ExpFloat64() * 4e6)
		worker := onThread(uint32(100 + id%32))
		var r *protocol.Exchange
		steps = append(steps, step{start, func() { r = w.reads(onThread(1)) }})
		at := start
		for _, name := range []string{"auth", "db"} {
			e := &protocol.Exchange{Name: name}
			begin := at + delay(2e5)
			at = begin + delay(5e6)
			steps = append(
				steps,
				step{begin, func() { truth[w.begins(worker, e)] = r }},
				step{at, func() { w.completes(e, worker) }},
			)
		}
		steps = append(steps, step{at + delay(1e5), func() { w.responds(r, onThread(1)) }})
	}
	slices.SortStableFunc(steps, func(a, b step) int { return cmp.Compare(a.at, b.at) })
	ticked := int64(0)
	for _, s := range steps {
		w.now = s.at
		s.do()
		if s.at-ticked > 1e8 {
			ticked = s.at
			w.ladder.Tick(s.at)
		}
	}
	return truth
}

func TestStatisticsFindWhatThreadsDoNotTell(t *testing.T) {
	w := newWorld(t)
	w.ladder.UseStatistics()
	truth := w.pool(1000)
	w.ladder.Flush()
	right, runnersUp := 0, 0
	for call, request := range truth {
		l, left := w.links[call]
		if !left {
			t.Fatal("a call never left")
		}
		if l.Parent != nil {
			assert.Equal(t, MethodStatistical, l.Method)
			assert.Greater(t, l.Confidence, 0.0)
		}
		if l.RunnerUp != nil {
			runnersUp++
			assert.NotSame(t, l.Parent, l.RunnerUp)
			assert.LessOrEqual(t, l.RunnerUpConfidence, l.Confidence+0.2)
		}
		if l.Parent == request {
			right++
		}
	}
	assert.Greater(t, float64(right)/float64(len(truth)), 0.97)
	assert.Positive(t, runnersUp)
	assert.Zero(t, w.ladder.Waiting())
}

func TestWithoutStatisticsNothingIsGuessed(t *testing.T) {
	w := newWorld(t)
	calls := w.pool(50)
	w.ladder.Tick(w.now)
	for call := range calls {
		assert.Nil(t, w.links[call].Parent)
	}
	assert.Zero(t, w.ladder.Waiting())
}

// A call during which no request is open has no parent, and does not wait for one.
func TestStatisticsLetBackgroundCallsGo(t *testing.T) {
	w := newWorld(t)
	w.ladder.UseStatistics()
	c := w.calls(onThread(9))
	w.completes(c, onThread(9))
	assert.Contains(t, w.links, c)
	assert.Nil(t, w.links[c].Parent)
}

func TestStatisticsWaitNoLongerThanMaxWait(t *testing.T) {
	w := newWorld(t)
	w.ladder.UseStatistics()
	r := w.reads(onThread(1))
	c := w.calls(onThread(2))
	w.completes(c, onThread(2))
	w.waits(c)
	w.now += maxWait.Nanoseconds() + 2e6
	w.ladder.Tick(w.now)
	assert.Contains(t, w.links, c)
	w.responds(r, onThread(1))
}

// What other threads tell exactly is not asked of the statistics.
func TestStatisticsComeLast(t *testing.T) {
	w := newWorld(t)
	w.ladder.UseStatistics()
	r := w.reads(onThread(1))
	c := w.calls(onThread(1))
	w.completes(c, onThread(1))
	w.responds(r, onThread(1))
	w.linked(c, r, MethodThread)
}

// Requests that were left out may have caused a call: then nothing is guessed.
func TestStatisticsStandBackWhereRequestsAreLeftOut(t *testing.T) {
	w := newWorld(t)
	w.ladder.UseStatistics()
	r := w.reads(onThread(1))
	by := capture.Task{PID: 1, TID: 2, Hidden: 1}
	c := w.calls(by)
	w.completes(c, by)
	assert.Contains(t, w.links, c)
	assert.Nil(t, w.links[c].Parent)
	w.responds(r, onThread(1))
}

func TestExitDecidesWhatWaits(t *testing.T) {
	w := newWorld(t)
	w.ladder.UseStatistics()
	w.reads(onThread(1))
	c := w.calls(onThread(2))
	w.completes(c, onThread(2))
	w.waits(c)
	w.ladder.Exited(1)
	w.ladder.Tick(w.now)
	assert.Contains(t, w.links, c)
}

// A server that calls nobody needs no statistics; requests that are open at the first
// call are known to them all the same.
func TestStatisticsBeginWithTheFirstCall(t *testing.T) {
	w := newWorld(t)
	w.ladder.UseStatistics()
	answered := w.reads(onThread(1))
	open := w.reads(onThread(1))
	w.responds(answered, onThread(1))
	s := w.ladder.process(onThread(1).PID).statistics
	assert.Equal(t, []*request{open.State.(*request)}, s.early)
	assert.Nil(t, s.early[0].facts)
	e := &protocol.Exchange{Name: "db"}
	w.begins(onThread(2), e)
	assert.Empty(t, s.early)
	assert.NotNil(t, open.State.(*request).facts)
	w.responds(open, onThread(1))
	assert.NotNil(t, w.reads(onThread(1)).State.(*request).facts)
}
