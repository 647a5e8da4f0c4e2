package capture

import "time"

// clock turns the kernel's CLOCK_MONOTONIC into Unix time. The distance between
// the two changes when the wall clock is set or slewed, so it is taken anew now
// and then, between events.
type clock struct {
	monotonic func() int64
	offset    int64
	taken     time.Time
}

const clockRefresh = 10 * time.Second

func (c *clock) refresh(now time.Time) {
	if c.offset != 0 && now.Sub(c.taken) < clockRefresh {
		return
	}
	c.offset, c.taken = c.measure(), now
}

// measure reads the wall clock between two readings of the monotonic one, and
// keeps the tightest of some tries.
func (c *clock) measure() (offset int64) {
	best := int64(1) << 62
	for range 5 {
		before := c.monotonic()
		wall := time.Now().UnixNano()
		after := c.monotonic()
		if width := after - before; width < best {
			best, offset = width, wall-(before+width/2)
		}
	}
	return offset
}

func (c *clock) unix(monotonic int64) int64 { return monotonic + c.offset }
