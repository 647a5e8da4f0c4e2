package causality

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// crowd plays so many requests that are read and call in one turn, and what comes behind them.
func (l *libuv) crowd(n int, behind func()) (made, rs []*protocol.Exchange) {
	l.turn++
	for range n {
		rs = append(rs, l.reads(inTurn(l.turn)))
		made = append(made, l.calls(inTurn(l.turn)))
	}
	behind()
	l.turn++
	for i, r := range rs {
		l.completes(made[i], inTurn(l.turn))
		l.responds(r, inTurn(l.turn))
	}
	l.passes(30 * time.Millisecond)
	return made, rs
}

// A timer that fires behind the handlers of a loop which is never idle seems to be the last request's, as nothing tells that such
// calls come alone. Nothing is done with its answer.
func TestTimersOfALoopThatIsAlwaysBusy(t *testing.T) {
	l := loopOf(t, 1)
	var timers []*protocol.Exchange
	for n := range 60 {
		behind := nothing
		if n%5 == 4 {
			behind = func() {
				k := l.calls(inTurn(l.turn))
				timers = append(timers, k)
				l.turn++
				l.completes(k, inTurn(l.turn))
			}
		}
		made, rs := l.crowd(40, behind)
		l.ladder.Tick(l.now + maxWait.Nanoseconds()/5)
		for i, k := range made {
			assert.Same(t, rs[i].State.(*request).exchange, l.links[k].Parent)
		}
	}
	l.ladder.Flush()
	for _, k := range timers {
		assert.LessOrEqual(t, l.links[k].Confidence, 0.9, "it is no child")
	}
}

// What is left of the confidence is told by how often the answers to requests' calls lead to nothing.
func TestCallsWhoseAnswersLeadToNothing(t *testing.T) {
	for name, c := range map[string]struct {
		idle agreement
		nth  int
		deed bool
		want float64
	}{
		"answers lead to something as a rule":     {agreement{0, 98}, 1, false, 0.33},
		"that is not known":                       {agreement{}, 1, false, 0.96},
		"half of them lead to nothing":            {agreement{49, 98}, 1, false, 0.96},
		"it follows at once on what was read":     {agreement{0, 98}, 0, false, 0.98},
		"its own answer has led to something yet": {agreement{0, 98}, 1, true, 0.98},
	} {
		t.Run(name, func(t *testing.T) {
			l := loopOf(t, 1)
			th := l.ladder.process(1).threads[1]
			th.loop.idle = c.idle
			read := &stimulus{request: &request{exchange: &protocol.Exchange{}}}
			answer := &stimulus{}
			if c.deed {
				answer.response = read.request
			}
			a := &act{thread: th, stimulus: read, nth: c.nth, call: &call{answer: answer}}
			a.origin.Task.Waits = 1
			assert.InDelta(t, c.want, a.unheeded(0.98), 0.01)
		})
	}
}
