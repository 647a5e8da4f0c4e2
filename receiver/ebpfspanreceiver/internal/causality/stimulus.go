package causality

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
)

// Most event loops act on what they read in the turn in which they read it, before they look
// at the clock. So what such a loop does first after it has read something is due to that, and what it does in a turn
// in which it has read nothing is due to a timer, a message on an upgraded connection, or a
// helper thread: a request's, or nobody's. Which, tells what the call's own answer leads to, since a
// request goes on in the turn in which it gets the answer.

const (
	// enoughResponses is how many responses tell whether a loop acts at once, nearlyAll the share of
	// them that then follow on something in their turn, and mostHeads the share of requests
	// that something follows on.
	enoughResponses, nearlyAll, mostHeads = 8, 0.9, 0.5
)

// stimulus is something that a loop read, and what it did next in the same turn, before it read
// anything else.
type stimulus struct {
	request *request
	call    *call
	turn    uint32
	// at is when it was read.
	at int64
	// deeds counts what followed, call or response; act or response is the first.
	deeds    int
	act      *act
	response *request
	// mixed says that one read gave several things: none of them is known to have led to what followed.
	// held says that an act or a call refers to it.
	mixed, held bool
}

// reacts is what a thread read last, and what is known of the process' turns.
type reacts struct {
	last *stimulus
	*reactions
}

// reactions are what the threads of a process were seen to do in the turns in which they read
// something. They are all alike as a rule: loops, or none.
type reactions struct {
	// calls is true once somebody was called: a server that never does is spared the rest.
	calls bool
	// atOnce tells how many responses followed on something in their turn, heads on how many
	// requests something followed in theirs.
	atOnce, heads agreement
	// later tells how often calls in turns in which nothing was read were a request's, by their answers: the others
	// came while nothing was open.
	later  agreement
	habits map[stimulusKind]*stimulusHabit
}

// stimulusHabit tells how often something leads to a call first, and how often to several.
type stimulusHabit struct {
	calls, several agreement
	// deeds is how many deeds followed on so many.
	deeds, count float64
}

// stimulusKind is the name of a request, or of a call that is answered.
type stimulusKind struct {
	name   string
	answer bool
}

func (s *stimulus) kind() stimulusKind {
	if s.call != nil {
		return stimulusKind{s.call.exchange.Name, true}
	}
	return stimulusKind{name: s.request.exchange.Name}
}

// reads takes what a loop read; c is nil for a request.
func (x *reacts) reads(r *request, c *call, waits uint32, at int64) *stimulus {
	if waits == 0 {
		x.last = nil
		return nil
	}
	if s := x.last; s != nil {
		if s.deeds == 0 && s.turn == waits && (s.at == at || c != nil && s.call == c) {
			s.mixed = s.mixed || s.request != r || s.call != c
			return s
		}
		x.learn(s)
	}
	if x.last == nil || x.last.held {
		x.last = &stimulus{}
	}
	*x.last = stimulus{request: r, call: c, turn: waits, at: at}
	return x.last
}

// learn takes what something has led to.
func (x *reactions) learn(s *stimulus) {
	if x.calls && !s.mixed {
		x.habit(s).add(s)
	}
	if s.request != nil {
		x.heads.add(s.deeds > 0)
	}
}

// habit is what is known of such things.
func (x *reactions) habit(s *stimulus) *stimulusHabit {
	k := s.kind()
	if x.habits[k] == nil {
		if x.habits == nil || len(x.habits) >= maxClasses {
			x.habits = make(map[stimulusKind]*stimulusHabit)
		}
		x.habits[k] = &stimulusHabit{}
	}
	return x.habits[k]
}

func (h *stimulusHabit) add(s *stimulus) {
	h.calls.add(s.act != nil)
	h.several.add(s.act != nil && s.deeds > 1)
	if h.count >= maxAgreement {
		h.deeds, h.count = h.deeds/2, h.count/2
	}
	h.deeds, h.count = h.deeds+float64(s.deeds), h.count+1
}

// beyond reports whether the act comes after what the thing that was read last leads to as a rule, or nothing was read in its turn.
func (a *act) beyond() bool {
	if a.stimulus == nil {
		return true
	}
	const half = 0.5
	h := a.thread.reacts.habit(a.stimulus)
	return a.nth > 0 && !a.stimulus.mixed && float64(a.nth)+half >= h.deeds/max(h.count, 1)
}

// hears takes a part of the answer to a call.
func (x *reacts) hears(c *call, by conn.Origin) {
	s := x.reads(nil, c, by.Task.Waits, by.Time)
	if s != nil && (c.answer == nil || c.answer.deeds == 0) {
		s.held, c.answer = true, s
	}
}

// in returns what was read last in a turn, nil where that is nothing.
func (x *reacts) in(waits uint32) *stimulus {
	if x.last == nil || x.last.turn != waits {
		return nil
	}
	return x.last
}

// acts takes a call or a connect.
func (x *reacts) acts(a *act) {
	x.calls = true
	s := x.in(a.origin.Task.Waits)
	if s == nil {
		return
	}
	s.held = true
	a.stimulus, a.nth = s, s.deeds
	if s.deeds == 0 {
		s.act = a
	}
	s.deeds++
}

// responds takes the begin of a response.
func (x *reacts) responds(r *request, by capture.Task) {
	if by.Waits == 0 {
		return
	}
	s := x.in(by.Waits)
	x.atOnce.add(s != nil)
	if s == nil {
		return
	}
	if s.deeds == 0 {
		s.response = r
	}
	s.deeds++
}

// late reports whether it is known that the loop acts in later turns, or is none: a thread that waits for
// each of its sockets before it uses it, as Python's do where they have timeouts.
func (x *reactions) late() bool {
	return !x.young() && (x.atOnce.right < nearlyAll*x.atOnce.total || x.heads.right < mostHeads*x.heads.total)
}

// young reports whether that is not known yet.
func (x *reactions) young() bool { return x.atOnce.total < enoughResponses }
