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

// areChildren waits until it is decided whose the calls are, each of the request at its place.
func (l *libuv) areChildren(t *testing.T, made, rs []*protocol.Exchange) {
	l.ladder.Tick(l.now + maxWait.Nanoseconds()/5)
	for i, k := range made {
		assert.Same(t, rs[i].State.(*request).exchange, l.links[k].Parent)
	}
}

// areNoChildren ends what is going on. The calls are nobody's.
func (l *libuv) areNoChildren(t *testing.T, timers []*protocol.Exchange) {
	l.ladder.Flush()
	for _, k := range timers {
		assert.LessOrEqual(t, l.links[k].Confidence, 0.9, "it is no child")
	}
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
		l.areChildren(t, made, rs)
	}
	l.areNoChildren(t, timers)
}

// The timer fires again just behind the answer to its last call, which so leads to a call. Nothing is done with the last answer, be it
// before all requests are answered that the timer's calls may seem to be for or after that.
func TestTimersBehindTheirOwnAnswers(t *testing.T) {
	for name, late := range map[string]bool{"answered before requests are": false, "answered after them": true} {
		t.Run(name, func(t *testing.T) {
			l := loopOf(t, 1)
			var timers []*protocol.Exchange
			for n := range 60 {
				behind, answer := nothing, nothing
				if n%5 == 4 {
					answer = func() {
						l.turn++
						l.completes(timers[len(timers)-1], inTurn(l.turn))
					}
					behind = func() {
						timers = append(timers, l.calls(inTurn(l.turn)))
						answer()
						timers = append(timers, l.calls(inTurn(l.turn)))
						if !late {
							answer()
							answer = nothing
						}
					}
				}
				made, rs := l.crowd(40, func() { behind() })
				answer()
				l.areChildren(t, made, rs)
			}
			l.areNoChildren(t, timers)
		})
	}
}

func toNothing(*stimulus, *request, *call) {}

func toResponse(answer *stimulus, r *request, _ *call) { answer.response = r }

// What is left of the confidence is told by how often the answers to requests' calls lead to nothing.
func TestCallsWhoseAnswersLeadToNothing(t *testing.T) {
	for name, c := range map[string]struct {
		idle agreement
		nth  int
		led  func(answer *stimulus, r *request, next *call)
		want float64
	}{
		"answers lead to something as a rule":     {agreement{0, 98}, 1, toNothing, 0.33},
		"that is not known":                       {agreement{}, 1, toNothing, 0.96},
		"half of them lead to nothing":            {agreement{49, 98}, 1, toNothing, 0.96},
		"it follows at once on what was read":     {agreement{0, 98}, 0, toNothing, 0.98},
		"its own answer has led to something yet": {agreement{0, 98}, 1, toResponse, 0.98},
		"it led to a call that is not answered": {agreement{0, 98}, 1, func(answer *stimulus, _ *request, next *call) {
			answer.act = &next.act
		}, 0.98},
		"it led to a call whose answer led to nothing": {agreement{0, 98}, 1, func(answer *stimulus, _ *request, next *call) {
			answer.act, next.response, next.answer = &next.act, &token{complete: true}, &stimulus{}
		}, 0.33},
		"it led to a call whose answer led to a response": {agreement{0, 98}, 1, func(answer *stimulus, r *request, next *call) {
			answer.act, next.response, next.answer = &next.act, &token{complete: true}, &stimulus{response: r}
		}, 0.98},
	} {
		t.Run(name, func(t *testing.T) {
			l := loopOf(t, 1)
			th := l.ladder.process(1).threads[1]
			th.loop.idle = c.idle
			read := &stimulus{request: &request{exchange: &protocol.Exchange{}}}
			made, next := &call{answer: &stimulus{}}, &call{}
			made.act = act{thread: th, stimulus: read, nth: c.nth, call: made}
			next.act = act{thread: th, stimulus: made.answer, call: next}
			made.origin.Task.Waits, next.origin.Task.Waits = 1, 2
			c.led(made.answer, read.request, next)
			assert.InDelta(t, c.want, made.unheeded(0.98), 0.01)
		})
	}
}
