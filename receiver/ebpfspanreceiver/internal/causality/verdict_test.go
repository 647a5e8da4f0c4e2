package causality

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// What is known before acts and after them differs where rows have slipped, and where nothing is known before.
func TestDoubtWhereRowsHaveSlipped(t *testing.T) {
	for name, c := range map[string]struct {
		astray, right, total, want float64
	}{
		"as a rule both agree":         {0.05, 900, 1000, 0.98},
		"they have begun to differ":    {0.5, 900, 1000, 0.49},
		"nothing is known before acts": {0.5, 0, 70, 0.98},
	} {
		t.Run(name, func(t *testing.T) {
			l := &loop{astray: c.astray, trust: agreement{right: c.right, total: c.total}}
			assert.InDelta(t, c.want, l.doubted(0.98), 1e-9)
		})
	}
}

// That an act which rests on nothing that was read was not foreseen says nothing of the rows.
func TestTimersAreNotAstray(t *testing.T) {
	for name, c := range map[string]struct{ sourceless, want float64 }{
		"it rests on what was read": {0.1, 1. / 32},
		"it rests on nothing":       {0.9, 0},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := &request{opened: 1}, &request{opened: 1, answered: true}
			a := &act{belief: certainly(after), forth: certainly(before), sourceless: c.sourceless, response: &token{}}
			seen := certainly(after)
			a.response.back.add(&deed{}, &seen, 1)
			a.deed = &deed{act: a, step: 2, open: 2}
			var l loop
			var o order
			a.learn(&l, &o, &mixture{})
			assert.InDelta(t, c.want, l.astray, 1e-9)
			assert.InDelta(t, 1, l.trust.total, 1e-9)
		})
	}
}

// What is believed of an act is final once its request waited for its answer and was answered, or nobody else can be told by theirs.
func TestFinalBeliefs(t *testing.T) {
	for name, c := range map[string]struct {
		p        float64
		answer   uint64
		answered bool
		want     bool
	}{
		"its request waited for the answer":      {p: 0.97, answer: 4, want: true},
		"the belief is weak":                     {p: 0.9, answer: 4},
		"its request did not wait":               {p: 0.97, answer: 6},
		"it was not answered":                    {p: 0.97},
		"it did not wait, the other is answered": {p: 0.97, answer: 6, answered: true, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			first, second := &request{answered: true, responded: 5}, &request{answered: c.answered}
			a := &act{belief: belief{who: [maxBelieved]*request{first, second}, p: [maxBelieved]float64{c.p, 1 - c.p}, n: 2, others: 1}}
			if c.answer > 0 {
				a.response = &token{step: c.answer, complete: true}
			}
			assert.Equal(t, c.want, a.final())
		})
	}
}

// A belief is acted on once the turn in which the answer was read has been decoded to its end: what it led to tells whose it was.
func TestBeliefsRipenWithTheTurnOfTheAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		fresh, through int
		want           bool
	}{
		"all was decoded":                    {fresh: 0, through: 5, want: true},
		"decoded in the middle of its turn":  {fresh: 16, through: 5},
		"decoded in a turn after it":         {fresh: 16, through: 6, want: true},
		"decoded before the answer was read": {fresh: 16, through: 3},
	} {
		t.Run(name, func(t *testing.T) {
			a := &act{thread: &thread{}, response: &token{turn: 5, step: 4, complete: true}}
			a.thread.loop.dropped, a.thread.loop.fresh, a.thread.loop.through = enough, c.fresh, c.through
			a.belief = certainly(&request{answered: true, responded: 5})
			assert.Equal(t, c.want, a.ripe(false))
		})
	}
}

// What a call's answer leads to tells most: where what is known does not suffice, that is waited for.
func TestDoubtfulCallsWaitForWhatTheirAnswerLeadsTo(t *testing.T) {
	for name, c := range map[string]struct {
		p, turns int
		shared   bool
		want     bool
	}{
		"it is clear":                   {99, 0, false, true},
		"the answer was just read":      {60, 0, false, false},
		"it may lead to something yet":  {60, maxLagTurns, false, false},
		"what it led to was seen":       {60, maxLagTurns + 1, false, true},
		"what is written waits anyhow":  {60, 0, true, true},
		"it is clear, but not answered": {99, -1, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			answered, other := &request{opened: 1, answered: true}, &request{opened: 1, answered: true}
			th := &thread{process: newProcess()}
			th.reacts = reacts{reactions: &th.process.reactions}
			th.loop.tokens = make([]*token, enough)
			th.loop.turn, th.loop.shared = 20, c.shared
			p := float64(c.p) / 100
			a := &act{thread: th, call: &call{}, stayed: 1, belief: belief{who: [maxBelieved]*request{answered, other}, p: [maxBelieved]float64{p, 1 - p}, n: 2, others: 1}}
			if c.turns >= 0 {
				a.response = &token{turn: th.loop.turn - c.turns}
			}
			assert.Equal(t, c.want, a.ripe(false))
		})
	}
}

// A loop of which little is known has no guess of its own before its window was decoded: a call waits for that, also when all that may have caused
// it has ended.
func TestANewLoopWaitsForItsWindow(t *testing.T) {
	w := newWorld(t)
	task := onThread(1)
	task.Waits = 1
	first, second := w.reads(task), w.reads(task)
	task.Waits++
	one, other := w.calls(task), w.calls(task)
	task.Waits++
	w.completes(one, task)
	w.responds(first, task)
	w.completes(other, task)
	w.responds(second, task)
	w.waits(one)
	w.waits(other)
	w.ladder.Tick(w.now + patience)
	assert.Same(t, first, w.links[one].Parent)
	assert.Same(t, second, w.links[other].Parent)
}
