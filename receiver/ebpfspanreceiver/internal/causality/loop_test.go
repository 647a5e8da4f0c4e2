package causality

import (
	"testing"

	"github.com/stretchr/testify/assert"
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
