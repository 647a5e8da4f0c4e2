package causality

import "net/netip"

const (
	// maxKinds bounds the kinds of calls of a process that are told apart.
	maxKinds = 256
	// maxAlone is how many calls without a request are counted before the counts are halved,
	// so that they follow a program whose habits change.
	maxAlone = 4096
	// scarce is how much time there must have been at an age for a rate to be known, as a
	// part of the responses times the width of the first bin.
	scarce = 1.0 / 4
	// doubtful is the probability from which on a call is taken for nobody's.
	doubtful = 0.5
)

// aftermath tells the calls that begin after the response of their request (work in the
// background, timers) from those of the request that the same task reads next. Where
// nothing is open, a call is nobody's; how often that happens is counted, by the time
// since the task answered last. As many are to be expected so long after a response while
// the next request is open. How many come is counted, too, by the time since that was read:
// what is not expected is the request's.
type aftermath struct {
	// idle is the time that tasks spent with nothing open, by the time since they answered,
	// busy that with something open, by the time since that is so. It is counted as soon as
	// there are kinds.
	idle, busy ages
	kinds      map[kind]*habit
	alone      float64
}

// kind is what calls are told apart by: a connect has no operation.
type kind struct {
	peer            netip.AddrPort
	path, operation string
}

// habit is how many calls of a kind began while nothing was open, and while something was.
type habit struct{ idle, busy ages }

func kindOf(a *act) kind {
	k := kind{peer: a.to.peer, path: a.to.path}
	if a.call != nil {
		k.operation = operation(a.call.exchange)
	}
	return k
}

// spent takes a spell that ends now.
func (m *aftermath) spent(s *spell, now int64) {
	if len(m.kinds) == 0 || s.answered == 0 {
		return
	}
	if s.busy {
		m.busy.cover(0, now-s.since)
		return
	}
	m.idle.cover(s.since-s.answered, now-s.answered)
}

// began takes a call that a task makes while nothing is open.
func (m *aftermath) began(a *act, s *spell) {
	age := a.origin.Time - s.answered
	if s.answered == 0 || age >= horizon {
		return
	}
	k := kindOf(a)
	h := m.kinds[k]
	if h == nil {
		if len(m.kinds) >= maxKinds {
			return
		}
		if m.kinds == nil {
			m.kinds = make(map[kind]*habit)
		}
		h = new(habit)
		m.kinds[k] = h
	}
	bin, _ := ageBin(age)
	h.idle[bin]++
	if m.alone++; m.alone >= maxAlone {
		m.halve()
	}
}

func (m *aftermath) halve() {
	m.alone /= 2
	m.idle.halve()
	m.busy.halve()
	for _, h := range m.kinds {
		h.idle.halve()
		h.busy.halve()
	}
}

// doubt takes a call that begins while a request is open, and returns how probable it is
// that the call would have come without.
func (m *aftermath) doubt(a *act, s *spell) float64 {
	age := a.origin.Time - s.answered
	if len(m.kinds) == 0 || s.answered == 0 || age >= horizon {
		return 0
	}
	h := m.kinds[kindOf(a)]
	if h == nil {
		return 0
	}
	a.suspect = true
	then, _ := ageBin(age)
	bin, _ := ageBin(min(a.origin.Time-s.since, horizon-1))
	h.busy[bin]++
	return min(1, m.rate(h, then)*m.busy[bin]/h.busy[bin])
}

// of returns how probable it is that a call in the background is of the request that was
// answered at last, and not of the one that was answered at before.
func (m *aftermath) of(a *act, last, before int64) float64 {
	h := m.kinds[kindOf(a)]
	if h == nil || before == 0 {
		return 1
	}
	at := func(answered int64) float64 {
		age := a.origin.Time - answered
		if age < 0 || age >= horizon {
			return 0
		}
		bin, _ := ageBin(age)
		return m.rate(h, bin)
	}
	one, other := at(last), at(before)
	if one+other == 0 {
		return 1
	}
	return one / (one + other)
}

// prompt is how probable it is that a call while nothing is open comes because of the
// response, and not at any time: few of its kind come later, though there was time to.
func (m *aftermath) prompt(a *act, s *spell) float64 {
	h := m.kinds[kindOf(a)]
	age := a.origin.Time - s.answered
	if h == nil || s.answered == 0 || age >= horizon {
		return 0
	}
	bin, _ := ageBin(age)
	calls, time := 1.0, 0.0
	for b := bin + 2*octave; b < ageBins; b++ {
		calls += h.idle[b]
		time += m.idle[b]
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
	calls, time, wanted := 0.0, 0.0, scarce*m.idle[0]
	for b := bin; b >= 0 && (bin-b < octave || time <= wanted); b-- {
		calls += h.idle[b]
		time += m.idle[b]
	}
	if time == 0 {
		return 0
	}
	return calls / time
}
