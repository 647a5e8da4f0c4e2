package causality

import (
	"time"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
)

const (
	// maxSharing bounds the goroutines of a process that are remembered.
	maxSharing = 4096
	// sampled is how many responses are looked at before wake-ups are asked for, and suspicious
	// the share of them that may have waited for another request's call.
	sampled, suspicious = 64, 0.25
	// idleLeast is how long such a request was open at least, and soon how long before its
	// response the call was answered at most, in nanoseconds.
	idleLeast, soon = int64(time.Millisecond), int64(2 * time.Millisecond)
	// pauseFor is how long wake-ups are not asked for again after they told nothing.
	pauseFor = int64(30 * time.Minute)
)

// sharing finds the goroutines that wait for the result of another one's call, as
// golang.org/x/sync/singleflight has them do: the maker wakes them when it has it. Wake-ups are
// asked for where many requests make no call, but are answered right after another one's.
type sharing struct {
	// results are the calls that goroutines made and have the result of, brought those of others
	// by which they were woken.
	results, brought map[uint64]*call
	last             *call
	// answered and waited count responses, and those that may have waited.
	answered, waited int
	// wanted is until when wake-ups are wanted, paused until when they are not, and found says
	// that they told something.
	wanted, paused int64
	found          bool
}

// began takes a goroutine's next call: it has done with the result of the last one.
func (s *sharing) began(c *call) {
	if c.parent != nil {
		c.parent.calls++
	}
	delete(s.results, c.origin.Task.Goroutine)
}

// completed takes a call whose maker is known to work for its request.
func (s *sharing) completed(c *call) {
	id := c.origin.Task.Goroutine
	if id == 0 || c.method != MethodGoroutine || c.parent == nil {
		return
	}
	s.last = c
	if s.results == nil || len(s.results) >= maxSharing {
		s.results = make(map[uint64]*call)
	}
	s.results[id] = c
}

// opened takes the next request of a goroutine: it has done with all results.
func (s *sharing) opened(r *request) {
	delete(s.results, r.read.Task.Goroutine)
	s.take(r.read.Task.Goroutine)
}

// bring notes that a goroutine was brought a result: the call waits for its response.
func (s *sharing) bring(to uint64, c *call) {
	s.take(to)
	if s.brought == nil || len(s.brought) >= maxSharing {
		s.brought = make(map[uint64]*call)
	}
	s.brought[to] = c
	c.carriers++
}

// take returns the result that a goroutine was brought, nil where there is none, and forgets it.
func (s *sharing) take(id uint64) *call {
	c := s.brought[id]
	if c != nil {
		delete(s.brought, id)
		c.carriers--
	}
	return c
}

// woke takes a wake-up. locks says that without a result it hands over no more than a lock, which takes no
// other result away.
func (s *sharing) woke(w conn.Wake, locks bool) {
	from, to := w.Waker.Task.Goroutine, w.Woken.Goroutine
	if from == 0 || to == 0 {
		return
	}
	c := s.results[from]
	if c == nil {
		if !locks {
			s.take(to)
		}
		return
	}
	s.bring(to, c)
}

// responds takes the first byte of a response.
func (s *sharing) responds(r *request, by capture.Task) {
	id, at := by.Goroutine, r.exchange.Response.First.Time
	if id == 0 || id != r.read.Task.Goroutine {
		return
	}
	if c := s.take(id); c != nil && s.mayServe(c, r) {
		c.serves(r, MethodHandoff, wokenConfidence)
		s.found = true
	}
	s.answered++
	if s.last != nil && s.mayServe(s.last, r) && at-r.read.Time >= idleLeast && at-s.last.exchange.End.Time <= soon {
		s.waited++
	}
	if s.answered >= sampled {
		s.want(at)
	}
}

// mayServe reports whether r has made no call, and was there when the result came.
func (s *sharing) mayServe(c *call, r *request) bool {
	return c.parent != r && r.calls == 0 && r.read.Time < c.exchange.End.Time
}

// want asks for wake-ups where it seems to be worth while, and no more where it was not.
func (s *sharing) want(now int64) {
	if float64(s.waited) >= suspicious*float64(s.answered) && now > s.paused {
		if s.wanted > 0 && now > s.wanted && !s.found {
			s.paused, s.wanted = now+pauseFor, 0
		} else if now > s.wanted {
			s.wanted, s.found = now+watchFor, false
		}
	}
	s.answered, s.waited = 0, 0
}
