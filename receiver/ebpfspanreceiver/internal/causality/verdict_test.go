package causality

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// What was known before acts may differ from what came after for two reasons: rows slipped against each other, in a loop that is
// foreseen well, or nothing tells before (timers).
func TestDoubt(t *testing.T) {
	for name, tt := range map[string]struct {
		right, wrong int // before
		strays       int // then
		believed     bool
	}{
		"as foreseen":                  {right: 100, believed: true},
		"differing by chance":          {right: 100, strays: 2, believed: true},
		"slipped":                      {right: 100, strays: 6, believed: false},
		"timers, which nothing tells":  {right: 20, wrong: 80, strays: 30, believed: true},
		"a new loop, which is unknown": {strays: 3, believed: true},
	} {
		t.Run(name, func(t *testing.T) {
			var l loop
			for range tt.right {
				l.confirms(true, true)
			}
			for range tt.wrong {
				l.confirms(false, true)
			}
			for range tt.strays {
				l.confirms(false, true)
			}
			assert.Equal(t, tt.believed, l.doubted(0.99) >= 0.9)
		})
	}
}
