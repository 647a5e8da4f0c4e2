package causality

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// A token leads to nothing that is known of before its window was decoded: it does not count until then.
func TestTokensCountOnceTheyWereDecoded(t *testing.T) {
	const kind = 3
	for name, c := range map[string]struct {
		token token
		want  float64
	}{
		"not decoded":       {token{}, 0},
		"led to nothing":    {token{decoded: true}, 1},
		"led to something":  {token{acted: 1}, 1},
		"may still do so":   {token{decoded: true, turn: 8}, 0},
		"led to it at once": {token{acted: 1, turn: 10}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			tok := c.token
			tok.kind = kind
			l := &loop{tokens: []*token{&tok}, turn: 10}
			l.habits.kind(1).tokens = young // of a loop that is new all count
			var d decoder
			d.learn(l)
			assert.InDelta(t, c.want, d.habits.kind(kind).tokens, 1e-9)
		})
	}
}

// seen is what was seen of a kind of tokens, each of which led to one act of a class at once.
func seen(tokens float64, class int) kindHabits {
	return kindHabits{
		tokens: tokens, blocks: [maxBlock + 1]float64{tokens},
		acts: []actHabits{{class: class, total: tokens, prompt: tokens, lag: [lags]float64{tokens}}},
	}
}

// What the answers lead to that were not known to be whole holds for the whole ones, as long as few were seen of these.
func TestWholeResponsesInherit(t *testing.T) {
	const part, whole, class = 1, 2, 7
	for name, c := range map[string]struct {
		part, whole kindHabits
		want        float64
	}{
		"none was seen":       {seen(100, class), kindHabits{}, 30},
		"a few parts":         {seen(10, class), kindHabits{}, 10},
		"some were seen":      {seen(100, class), seen(20, class), 30},
		"enough were":         {seen(100, class), seen(50, class), 50},
		"parts lead to none":  {kindHabits{tokens: 100}, kindHabits{}, 0},
		"nothing of parts":    {kindHabits{}, seen(5, class), 5},
		"whole ones go on so": {seen(100, class+1), seen(40, class), 40},
		"calls had to wait":   {seenWaiting(100, class), kindHabits{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			l := &loop{}
			l.begun[whole] = part
			h := &habits{kinds: []kindHabits{{}, c.part, c.whole}}
			h.inherit(l)
			k := h.kind(whole)
			assert.InDelta(t, c.want, k.class(class).total, 1e-9)
			assert.InDelta(t, c.want, k.class(class).lag[0], 1e-9)
		})
	}
}

// seenWaiting is seen of acts that had to wait for connections.
func seenWaiting(tokens float64, class int) kindHabits {
	k := seen(tokens, class)
	k.acts[0].prompt = tokens / 4
	return k
}

// A token that waits for a connection says nothing of whether its kind leads to calls.
func TestTokensThatWaitSayNothing(t *testing.T) {
	const kind, class, peer = 1, 2, 5
	l := &loop{}
	l.pools[peer], l.poolOf[class] = &pool{queued: true, passed: 59}, peer
	k := seen(60, class)
	k.tokens = 100
	for n := range uint64(100) {
		k.awaits(l, &token{number: n, kind: kind})
	}
	assert.InDelta(t, 1, k.wants(l, peer), 1e-9)
	l.pools[peer].passed = 99
	k.pending = nil
	for n := range uint64(100) {
		k.awaits(l, &token{number: n, kind: kind})
	}
	assert.InDelta(t, 0.6, k.wants(l, peer), 1e-9)
}
