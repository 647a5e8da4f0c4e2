package causality

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// The queue goes on behind the last call that was in it: one on a connection that was opened for it was not.
func TestACallOutOfTurnIsNoLandmark(t *testing.T) {
	on := func(number uint64) []source {
		return []source{{token: &token{number: number}, share: 1, first: 1}}
	}
	p := &pool{}
	p.forget(&deed{sources: on(10), settled: 7})
	p.forget(&deed{sources: on(90), opens: true})
	assert.Equal(t, []landmark{{number: 10, share: 1}}, p.end)
	assert.Equal(t, uint64(7), p.settled)
	p.passes(&deed{sources: on(20)})
	p.passes(&deed{sources: on(95), opens: true})
	assert.Equal(t, uint64(20), p.passed)
}
