package capture

import (
	"sync/atomic"
	"time"
)

// pressure measures how much the reader has to do, of what it can do. The reader adds to it,
// another goroutine asks.
type pressure struct {
	// waited is how long the reader had nothing to do, in nanoseconds: no longer than it
	// meant to wait. The time that it waits for a processor is no rest.
	waited atomic.Int64
	// read and lost are the events that were read, and those for which there was no room.
	read, lost atomic.Int64
	last       pressureFigures
}

// pressureFigures are the sums at one time.
type pressureFigures struct {
	at                 time.Time
	waited, read, lost int64
}

// rested adds a wait that was to take a pause.
func (p *pressure) rested(took, pause time.Duration) { p.waited.Add(int64(min(took, pause))) }

// since returns the pressure from the last call on, 0 at the first.
func (p *pressure) since(now time.Time) float64 {
	was := p.last
	p.last = pressureFigures{at: now, waited: p.waited.Load(), read: p.read.Load(), lost: p.lost.Load()}
	passed := now.Sub(was.at)
	if was.at.IsZero() || passed <= 0 {
		return 0
	}
	busy := max(0, 1-float64(p.last.waited-was.waited)/float64(passed))
	read, lost := p.last.read-was.read, p.last.lost-was.lost
	if lost == 0 {
		return busy
	}
	// Events that come in a burst may be lost though the reader was busy for a part of the time only.
	return max(busy, 1) * float64(read+lost) / float64(max(read, 1))
}

// Pressure returns how much the reader had to do since the last call, of what it could: the part of
// the time for which it was busy; where events were lost because the ring buffer was full, 1 or more,
// by as much as more came than was read. One goroutine may call it, whichever that is.
func (k *Kernel) Pressure() float64 { return k.pressure.since(time.Now()) }
