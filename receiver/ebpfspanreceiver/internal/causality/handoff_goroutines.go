package causality

import (
	"time"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
)

// In Go whoever waits for another goroutine is woken by it, and that is seen. So a
// goroutine whose results hardly ever come to a request works for none: a ticker's loop, the one that
// serves a WebSocket. That a request waits for the same lock at times makes it no worker.

const (
	// idlers is the share of a goroutine's calls below which what ties them to requests is
	// taken for chance, atLeastCalls how many calls tell that.
	idlers, atLeastCalls = 0.25, 4
	// deafAfter is after how long without any wake-up, in nanoseconds, there are none to be had.
	deafAfter = int64(2 * time.Second)
	// silence is how long there may be no wake-up while they are seen, in nanoseconds.
	silence = int64(time.Second)
)

// ties counts the calls that a task made for others, and those of them that something tied to
// a request: a claim, or an order.
type ties struct{ calls, tied int }

func (t *ties) add(c *call) {
	const most = 256
	if t.calls >= most {
		t.calls, t.tied = t.calls/2, t.tied/2
	}
	t.calls++
	if len(c.claims) > 0 || c.order != nil {
		t.tied++
	}
}

// most is how much a tie to a request is believed: little where there are hardly any, and not
// for certain where too few calls are known. Where both views have seen it, that is known enough.
func (t *ties) most(c *call) float64 {
	switch {
	case t.calls >= atLeastCalls && float64(t.tied) < idlers*float64(t.calls):
		return handoffDoubt
	case t.calls < atLeastCalls && c.order == nil:
		return unconfirmed
	}
	return 1
}

// starter is who started the goroutine of a task.
func starter(task capture.Task) actor { return actor{true, task.ParentGoroutine} }

// ties counts a call of a goroutine, and one of those that its starter started.
func (h *handoff) ties(c *call) {
	by := c.origin.Task
	if by.Goroutine == 0 || h.hearing > c.origin.Time || h.woken < c.origin.Time {
		return // not all wake-ups could be seen
	}
	h.worker(actorOf(by)).own.add(c)
	if by.ParentGoroutine != 0 {
		h.worker(starter(by)).started.add(c)
	}
}

// most is how much it is believed that a request waits for a call, by the calls of its
// goroutine, or, where that has made few, by those of all that its starter started.
func (h *handoff) most(c *call) float64 {
	by := c.origin.Task
	if by.Goroutine == 0 {
		return 1
	}
	t := h.worker(actorOf(by)).own
	if t.calls < atLeastCalls && by.ParentGoroutine != 0 {
		t = h.worker(starter(by)).started
	}
	return t.most(c)
}

// deaf reports whether wake-ups are not to be had, though they were asked for.
func (h *handoff) deaf(now int64) bool {
	return h.woken == 0 && h.asked > 0 && now-h.asked > deafAfter
}

// hears takes the time of a wake-up.
func (h *handoff) hears(at int64) {
	if at-h.woken > silence {
		h.hearing = at
	}
	h.woken = at
}

// attends notes that a goroutine reads or writes a connection for those who ask: what it wakes
// goes on inside the client library.
func (h *handoff) attends(c *call, by capture.Task) {
	if by.Goroutine != 0 && by.Goroutine != c.origin.Task.Goroutine {
		h.worker(actorOf(by)).attendant = true
	}
}
