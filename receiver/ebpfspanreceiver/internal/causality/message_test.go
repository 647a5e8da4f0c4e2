package causality

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// A call that follows on a request in its turn is the request's, but not where a message was read between.
func TestCallsForMessagesInARequestsTurn(t *testing.T) {
	for name, message := range map[string]bool{"a message was read": true, "nothing else was": false} {
		t.Run(name, func(t *testing.T) {
			l := loopOf(t, 1)
			for range 5 {
				l.timer()
			}
			l.turn++
			r := l.reads(inTurn(l.turn))
			if message {
				l.ladder.Message(l.at(inTurn(l.turn)))
			}
			k := l.calls(inTurn(l.turn))
			l.turn++
			l.completes(k, inTurn(l.turn))
			l.turn++
			l.responds(r, inTurn(l.turn))
			if message {
				l.waits(k)
				l.linked(k, nil, "")
				return
			}
			l.child(k, r)
		})
	}
}

// Who reads nothing but messages is not followed.
func TestMessagesOfOthers(t *testing.T) {
	w := newWorld(t)
	w.ladder.Message(w.at(onThread(7)))
	w.reads(onThread(1))
	w.ladder.Message(w.at(onThread(7)))
	assert.Len(t, w.ladder.processes[1].threads, 1)
}
