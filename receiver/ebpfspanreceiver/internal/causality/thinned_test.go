package causality

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// hiding is a thread of which the kernel side leaves out some requests.
func hiding(hidden int) capture.Task {
	return capture.Task{PID: 1, TID: 1, Thinned: true, Hidden: uint8(hidden)}
}

func TestAHiddenRequestMayBeTheCause(t *testing.T) {
	w := newWorld(t)
	r := w.reads(hiding(0))
	alone, beside := w.calls(hiding(0)), w.calls(hiding(1))
	connected := w.connects(hiding(1))
	first := w.begins(hiding(1), &protocol.Exchange{Connected: connected})
	for _, k := range []*protocol.Exchange{alone, beside, first} {
		w.completes(k, hiding(0))
	}
	w.linked(alone, r, MethodThread)
	w.linked(beside, nil, "")
	w.linked(first, nil, "")
}

func TestGoroutinesDoNotMindHiddenRequests(t *testing.T) {
	w := newWorld(t)
	task := onGoroutine(10, 1)
	task.Thinned, task.Hidden = true, 3
	r := w.reads(task)
	k := w.calls(task)
	w.completes(k, task)
	w.linked(k, r, MethodGoroutine)
}

// A loop that serves many requests, each with one call, of which the kernel side
// leaves out some, requests and calls alike: what is linked is linked right.
func TestALoopWithHiddenRequestsLinksNothingWrongly(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	w := newWorld(t)
	type request struct {
		server, call             *protocol.Exchange
		hidden, hiddenCall, acts bool
	}
	truth := make(map[*protocol.Exchange]*protocol.Exchange)
	var open []*request
	hidden := 0
	task := func() capture.Task { return hiding(hidden) }
	for range 20_000 {
		if len(open) == 0 || len(open) < 4 && random.IntN(4) == 0 {
			r := &request{hidden: random.IntN(2) == 0, hiddenCall: random.IntN(2) == 0}
			if r.hidden {
				hidden++
			} else {
				r.server = w.reads(task())
			}
			open = append(open, r)
			continue
		}
		i := random.IntN(len(open))
		r := open[i]
		switch {
		case !r.acts:
			r.acts = true
			if !r.hiddenCall {
				r.call = w.calls(task())
				truth[r.call] = r.server
			}
		default:
			if !r.hiddenCall {
				w.completes(r.call, task())
			}
			if r.hidden {
				hidden--
			} else {
				w.responds(r.server, task())
			}
			open = append(open[:i], open[i+1:]...)
		}
	}
	w.ladder.Tick(w.now)
	linked := 0
	for call, l := range w.links {
		if l.Parent == nil {
			continue
		}
		linked++
		assert.Same(t, truth[call], l.Parent)
	}
	assert.Positive(t, linked)
}
