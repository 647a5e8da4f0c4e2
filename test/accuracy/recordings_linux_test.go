package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Runs that are hard to decode: load that is hardly ever met in a short run, or luck. They are replayed, so what is not as good
// as it was is not hidden by how a run varies.
func TestHardRecordings(t *testing.T) {
	for name, recall := range map[string]float64{
		"alike-queries":           1,     // calls in sequence that are alike, each directly behind the answer to the one before
		"answered-in-one-turn":    0.997, // answers to requests of one turn, and then their responses, come in one turn, too
		"decoded-in-mid-turn":     0.997, // windows end between an answer and what it leads to
		"disturbed-jobs":          0.93,  // a pool's jobs are taken in another order than they were queued in, at times
		"first-burst":             0.998, // a loop that is new meets hundreds of requests in one turn
		"logins-while-calls-wait": 0.998, // a pool opens connections while calls wait for one
		"messages":                1,     // calls for messages on upgraded connections begin in a request's turn
		"messages-among-sixteen":  1,     // the same, with answers and requests of others
		"older-connections":       0.998, // answers are not known to be whole before the burst
		"sleeps":                  0.998, // what was known before an act is wrong as a rule
		"swapped-results":         0.97,  // a pool's worker takes a result without being woken for it
		"timer-in-a-counted-loop": 0.998, // a loop is known to make its calls in the order of its requests, and a timer calls as well
		"timers-behind-answers":   0.998, // a timer fires behind a handler, and then behind the answer to its own call
		"timers-behind-handlers":  0.998, // a loop is never idle, and a timer's calls follow on the last handler of a turn
		"timers-of-a-new-loop":    0.998, // timers' calls in the turns of responses, before anything is known of the loop
		"two-calls-at-once":       0.998, // a request leads to two calls, of which one waits for a connection
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("testdata", "recordings", name+descriptionSuffix)
			d, err := readDescription(path)
			require.NoError(t, err)
			c, err := testOptions().replayCell(t.Context(), path, d)
			require.NoError(t, err)
			assert.Empty(t, c.Broken)
			assert.InDelta(t, 1, c.Precision, 0, c.Examples)
			assert.GreaterOrEqual(t, c.Recall, recall)
			assert.Zero(t, c.OverMerged, c.Examples)
		})
	}
}
