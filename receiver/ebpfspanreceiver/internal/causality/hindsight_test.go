package causality

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// A response says whose the token is that it rests on, whatever else may rest on it.
func TestAResponseOutweighsCalls(t *testing.T) {
	answered, other := &request{opened: 1}, &request{opened: 1}
	response, call := &deed{request: answered}, &deed{act: &act{}}
	type share struct {
		deed  *deed
		share float64
	}
	for name, c := range map[string]struct {
		deeds []share
		want  float64
	}{
		"a response":                      {[]share{{response, 1}}, 1},
		"a call may be as well":           {[]share{{call, 0.3}, {response, 1}}, 1},
		"one of both":                     {[]share{{response, 0.5}, {call, 0.5}}, 0.5},
		"a call, or both":                 {[]share{{response, 0.6}, {call, 1}}, 0.6},
		"nothing but a call":              {[]share{{call, 1}}, 0},
		"nothing is known to rest on it":  {nil, 0},
		"calls of two requests, at least": {[]share{{call, 1}, {call, 1}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var h hindsight
			for _, s := range c.deeds {
				owner := certainly(other)
				if s.deed == response {
					owner = certainly(answered)
				}
				h.add(s.deed, &owner, s.share)
			}
			b := h.gathered(&deed{step: 2, open: 8}, &mixture{})
			p := 0.0
			if b.tells(answered) {
				p = b.of(answered)
			}
			assert.InDelta(t, c.want, p, 1e-9)
		})
	}
}
