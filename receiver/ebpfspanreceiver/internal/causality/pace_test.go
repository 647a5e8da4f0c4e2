package causality

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// A loop answers at once if something is read between each two responses of a turn.
func TestPace(t *testing.T) {
	for name, tt := range map[string]struct {
		// together is how many responses follow on one read.
		together int
		want     bool
	}{
		"behind each read":       {1, true},
		"behind all of a turn's": {4, false},
	} {
		var p pace
		reads := uint64(0)
		for turn := range 10 {
			for n := range 4 {
				if n%tt.together == 0 {
					reads++
				}
				p.responds(turn, reads)
			}
		}
		assert.Equal(t, tt.want, p.atOnce(), name)
	}
	var once pace
	for turn := range 100 {
		once.responds(turn, uint64(turn)+1)
	}
	assert.False(t, once.atOnce(), "one response in each turn tells nothing")
}
