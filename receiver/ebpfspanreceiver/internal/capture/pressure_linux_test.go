package capture

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestPressure(t *testing.T) {
	const second = time.Second
	for name, c := range map[string]struct {
		waits      int
		took       time.Duration
		read, lost int64
		want       float64
	}{
		"idle":                    {waits: 50, took: 20 * time.Millisecond, want: 0},
		"half busy":               {waits: 25, took: 20 * time.Millisecond, read: 1000, want: 0.5},
		"kept from its processor": {waits: 25, took: 40 * time.Millisecond, read: 1000, want: 0.5},
		"busy":                    {read: 1000, want: 1},
		"too much":                {read: 1000, lost: 500, want: 1.5},
		"a burst":                 {waits: 25, took: 20 * time.Millisecond, read: 1000, lost: 1000, want: 2},
		"nothing read":            {lost: 3, want: 3},
	} {
		t.Run(name, func(t *testing.T) {
			var p pressure
			now := time.Now()
			assert.Zero(t, p.since(now), "nothing is known at first")
			for range 2 { // each time since the last
				for range c.waits {
					p.rested(c.took, 20*time.Millisecond)
				}
				p.read.Add(c.read)
				p.lost.Add(c.lost)
				now = now.Add(second)
				assert.InDelta(t, c.want, p.since(now), 1e-9)
			}
		})
	}
}
