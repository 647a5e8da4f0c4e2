package causality

import (
	"math"
	"net/netip"
)

const (
	// maxKinds bounds the kinds of calls of a process that are told apart.
	maxKinds = 256
	// maxAlone is how many calls without a request are counted before the counts are halved,
	// so that they follow a program whose habits change.
	maxAlone = 4096
	// scarce is how much time there must have been at an age for a rate to be known, in
	// nanoseconds.
	scarce = 1e6
	// doubtful is the probability from which on a call is taken for nobody's.
	doubtful = 0.5
	// often is how much of the rate at which a kind of calls comes must be there without a
	// request as well for each of them to be suspect, and atLeast how many calls tell that.
	often, atLeast = 0.25, 5
)

// aftermath tells the calls that begin after the response of their request (work in the
// background, timers) from those of the request that the same task reads next. While nothing
// is open, a call is nobody's; how often that happens is counted, by the time
// since the task answered last. As many are to be expected so long after a response while
// the next request is open. How many come then is counted, too, by the time since the task
// read something, and once it has called, by the time since then: what was not to be expected
// is the request's.
type aftermath struct {
	// spells are the times that tasks spent: idle by the age of the last response, others by
	// their own age. They are counted as soon as there are kinds.
	spells [duties]ages
	// time is the sum of each.
	time  [duties]float64
	kinds map[kind]*habit
	alone float64
	// answered counts the responses since there are kinds.
	answered float64
	// operations names what calls ask for.
	operations *operations
}

// kind is what calls are told apart by: a connect has no operation.
type kind struct {
	peer            netip.AddrPort
	path, operation string
}

// habit is how many calls of a kind began in each kind of spell, in the same way.
type habit struct {
	calls [duties]ages
	count [duties]float64
	// unprompted counts those while nothing was open that rested on nothing that was read in their turn.
	unprompted float64
}

func (m *aftermath) kindOf(a *act) kind {
	k := kind{peer: a.to.peer, path: a.to.path}
	if a.call != nil {
		k.operation = m.operations.operation(a.call.exchange)
	}
	return k
}

// spent takes a spell that ends now.
func (m *aftermath) spent(s *spell, now int64) {
	if len(m.kinds) == 0 || s.answered == 0 {
		return
	}
	m.time[s.duty] += float64(max(now-s.since, 0))
	if s.duty == idle {
		m.spells[idle].cover(s.since-s.answered, now-s.answered)
		return
	}
	m.spells[s.duty].cover(0, now-s.since)
}

// aged returns how long ago the task answered last, and whether that counts.
func (m *aftermath) aged(a *act, s *spell) (age int64, ok bool) {
	age = a.origin.Time - s.answered
	return age, s.answered > 0 && age < horizon
}

// began takes a call that a task makes while nothing is open.
func (m *aftermath) began(a *act, s *spell) {
	h := m.habit(m.kindOf(a))
	if h == nil {
		return
	}
	if a.stimulus == nil && !a.blind() {
		h.unprompted++
	}
	age, ok := m.aged(a, s)
	if !ok {
		return
	}
	s.turns(idle, a.origin.Time, m)
	h.add(idle, age)
	if m.alone++; m.alone >= maxAlone {
		m.halve()
	}
}

// habit returns that of a kind, nil where there are too many.
func (m *aftermath) habit(k kind) *habit {
	h := m.kinds[k]
	if h == nil && len(m.kinds) < maxKinds {
		if m.kinds == nil {
			m.kinds = make(map[kind]*habit)
		}
		h = new(habit)
		m.kinds[k] = h
	}
	return h
}

func (h *habit) add(d duty, age int64) (bin int) {
	bin, _ = ageBin(min(age, horizon-1))
	h.calls[d][bin]++
	h.count[d]++
	return bin
}

func (m *aftermath) halve() {
	m.alone, m.answered = m.alone/2, m.answered/2
	for _, h := range m.kinds {
		h.unprompted /= 2
	}
	for d := range duties {
		m.spells[d].halve()
		m.time[d] /= 2
		for _, h := range m.kinds {
			h.calls[d].halve()
			h.count[d] /= 2
		}
	}
}

// doubt takes a call that begins while a request is open, and returns how probable it is
// that the call would have come without.
func (m *aftermath) doubt(a *act, s *spell) float64 {
	age, ok := m.aged(a, s)
	if len(m.kinds) == 0 || !ok {
		return 0
	}
	h := m.kinds[m.kindOf(a)]
	if h == nil {
		return 0
	}
	then, _ := ageBin(age)
	was := s.duty
	bin := h.add(was, a.origin.Time-s.since)
	more := m.excess(h)
	a.suspect = more < 1/often
	s.turns(waiting, a.origin.Time, m)
	if more <= 1 {
		return 1
	}
	return min(1, m.rate(h, then)*m.spells[was].about(bin)/h.calls[was].about(bin))
}

// excess is how much more often calls of a kind come while something is open: 1 where they
// come as if they needed no request.
func (m *aftermath) excess(h *habit) float64 {
	busy, time := h.count[due]+h.count[waiting], m.time[due]+m.time[waiting]
	if h.count[idle] < atLeast || time == 0 {
		return math.Inf(1)
	}
	return busy / time * m.time[idle] / h.count[idle]
}

// after is how likely a call in the background comes at such an age of a response, but for a
// factor. Of delays of which none was seen yet it is small, and nothing after none.
func (m *aftermath) after(k kind, age int64) float64 {
	const unseen = 1e-3
	h := m.kinds[k]
	switch {
	case age < 0 || age >= horizon:
		return 0
	case h == nil:
		return 1
	}
	bin, _ := ageBin(age)
	return m.rate(h, bin) + unseen*m.mean(h)
}

// prompt is how probable it is that a call while nothing is open comes because of the
// response, and not at any time: few of its kind come later, though there was time to.
func (m *aftermath) prompt(a *act, s *spell) float64 {
	h := m.kinds[m.kindOf(a)]
	age, ok := m.aged(a, s)
	if h == nil || !ok {
		return 0
	}
	bin, _ := ageBin(age)
	calls, time := 1.0, 0.0
	for b := bin + 2*octave; b < ageBins; b++ {
		calls += h.calls[idle][b]
		time += m.spells[idle][b]
	}
	rate := m.rate(h, bin)
	if rate*time == 0 {
		return 0
	}
	return max(0, 1-calls/time/rate)
}

// rate is how many calls come in a nanosecond at about that age while nothing is open.
// Where there was hardly any such time at that age, it is taken from those before.
func (m *aftermath) rate(h *habit, bin int) float64 {
	calls, time := 0.0, 0.0
	for b := bin; b >= 0 && (bin-b < octave || time < scarce); b-- {
		calls += h.calls[idle][b]
		time += m.spells[idle][b]
	}
	if time == 0 {
		return 0
	}
	return calls / time
}

// seenAlone reports whether calls of an act's kind were seen while nothing was open.
func (m *aftermath) seenAlone(a *act) bool {
	h := m.kinds[m.kindOf(a)]
	return h != nil && h.count[idle] > 0
}

// mean is how many calls come in a nanosecond while nothing is open, at any age.
func (m *aftermath) mean(h *habit) float64 {
	return (h.count[idle] + 1) / (m.time[idle] + scarce)
}
