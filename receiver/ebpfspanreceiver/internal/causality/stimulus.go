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
	// answeredConfidence is that in a call whose answer led to the response of the only request that was open.
	answeredConfidence = 0.98
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
	habits        map[stimulusKind]*stimulusHabit
}

// stimulusHabit tells how often something leads to a call first, and how often to several.
type stimulusHabit struct{ calls, several agreement }

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

// turnsTell reports whether the turn in which an act comes may tell whose it is.
func (t *thread) turnsTell(a *act) bool {
	return a.origin.Task.Waits > 0 && !t.reacts.late()
}

// decideByTurn settles an act that follows at once on what was read for the only open request. Any
// other one waits for its answer.
func (t *thread) decideByTurn(a *act, r *request, streaming bool) {
	if !a.atOnceFor(r) {
		a.putOff(t, streaming)
		a.sole = r
		t.order.acts(a)
		t.loop.acts(a, 1, t.step)
		return
	}
	a.suspect = false
	a.doubt = t.reacts.doubt(a, &t.process.aftermath)
	if a.doubt > doubtful {
		a.alone()
		return
	}
	t.acts(a, r)
	a.settle(r, MethodThread, (1-a.doubt)*threadConfidence)
}

// doubt is how probable it is that a call which follows at once on something would have come without: as
// many come in this time while nothing is open, where what was read leads to none.
func (x *reactions) doubt(a *act, m *aftermath) float64 {
	h := m.kinds[m.kindOf(a)]
	if h == nil || m.time[idle] == 0 {
		return 0
	}
	share := x.habit(a.stimulus).calls.share()
	return min(1, h.count[idle]/m.time[idle]*float64(a.origin.Time-a.stimulus.at)*(1-share)/share)
}

// comesAlone reports whether the act is nobody's because nothing that was read led to it, its
// answer led to nothing, and calls of its kind come alone.
func (a *act) comesAlone() bool {
	if !a.leadsNowhere() || a.thread.reacts.young() || !a.alike() {
		return false
	}
	return a.unprompted() || a.nth > 0 && !a.stimulus.mixed && a.thread.reacts.habit(a.stimulus).several.share() < doubtful
}

// leadsNowhere reports whether the loop acts at once, and did nothing with the call's answer.
func (a *act) leadsNowhere() bool {
	if a.origin.Task.Waits == 0 || a.thread.reacts.late() {
		return false
	}
	_, nothing, known := a.led()
	return known && nothing
}

// atOnceFor reports whether the act is the first on something that was read for r.
func (a *act) atOnceFor(r *request) bool {
	s := a.stimulus
	return s != nil && a.nth == 0 && !s.mixed && (s.request == r || s.call != nil && s.call.decided && s.call.parent == r)
}

// unprompted reports whether the act is due to nothing that was read for a request, as far as is known.
func (a *act) unprompted() bool {
	s := a.stimulus
	return s == nil || a.nth == 0 && !s.mixed && s.call != nil && s.call.decided && s.call.parent == nil
}

// led is what the answer to a call led to: the request that was answered by it or surely went on with another
// call, nothing, or it is not known yet.
func (a *act) led() (to *request, nothing, known bool) {
	c := a.call
	if c == nil || c.answer == nil {
		return nil, true, true // it was given up, or others read its answer
	}
	switch s := c.answer; {
	case s.response != nil:
		return s.response, false, true
	case s.act == nil:
		return nil, true, true
	case s.act.decided && s.act.confidence <= reliable:
		return nil, true, true
	case s.act.decided:
		return s.act.parent, false, true
	}
	return nil, false, false
}

// alike reports whether calls of this kind were made while nothing was open, for nothing that was read.
func (a *act) alike() bool {
	m := &a.thread.process.aftermath
	h := m.kinds[m.kindOf(a)]
	return h != nil && h.unprompted >= 1
}

// concludeSole settles an act while one request only was open by what the answer led to. over says that
// nothing more is to come.
func (a *act) concludeSole(waited, over bool) {
	x := &a.thread.reacts
	if !waited && (x.young() || x.last != nil && x.last.deeds == 0 && a.call != nil && a.call.answer == x.last) {
		return // the turn may not be over
	}
	if x.late() || x.young() {
		a.byAges()
		return
	}
	to, _, known := a.led()
	switch {
	case !known && !over:
	case to == a.sole:
		a.belongs(to, answeredConfidence)
	case a.alike() && a.unprompted():
		a.alone()
	case a.alike():
		a.byHabit()
	case !waited && !over:
		// Calls of its kind may come alone.
	case a.unprompted() && a.thread.several:
		a.belongs(a.sole, unconfirmed)
	default:
		a.byAges()
	}
}

// byHabit settles an act in a turn in which something was read, by whether that usually leads to
// several, where it is not the first.
func (a *act) byHabit() {
	share := a.thread.reacts.habit(a.stimulus).several.share()
	if share < doubtful || a.nth == 0 && !a.stimulus.mixed {
		a.alone()
		return
	}
	a.belongs(a.sole, share)
}

// byAges settles an act of the only request by when such calls come.
func (a *act) byAges() {
	if a.doubt > doubtful {
		a.alone()
		return
	}
	a.belongs(a.sole, (1-a.doubt)*threadConfidence)
}

// belongs settles an act that is r's, for the loop as well.
func (a *act) belongs(r *request, confidence float64) {
	a.thread = nil
	a.settle(r, MethodThread, confidence)
}
