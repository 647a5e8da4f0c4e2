package causality

// manner is how a result was handed over, besides over how many wake-ups: what is true of it, by trait.
type manner uint8

const (
	// behind is that who read it had woken another one since: who reads an answer hands it over first, and wakes whom it wakes
	// then for something else.
	behind = iota
	// startedFirst and startedLast are that the first or the last hand-over started a task instead of waking one. A pool starts one
	// where none waits for a job: its workers are awake then, and one that has just done its own may take the job without
	// being woken.
	startedFirst
	startedLast
	// traits is how many of these there are, which are counted.
	traits
	// lone is that no other answer was read until who got it handed it on, or answered: so it has taken no other one.
	lone
	// own is that who read it made the call as well: it knows whose it is, and wakes who waits for it.
	own
)

func (m manner) is(trait int) bool { return m&(1<<trait) != 0 }

func (m manner) with(trait int, is bool) manner {
	if is {
		return m | 1<<trait
	}
	return m &^ (1 << trait)
}

// handedOver is how a result has come to who is woken next, or started.
func (r *result) handedOver(started bool) manner {
	m := r.manner
	if r.hops == 0 {
		m = m.with(behind, r.passed > 0).with(startedFirst, started)
	}
	return m.with(startedLast, started)
}

// customs counts in which manner the results come that come by one way.
type customs struct {
	total float64
	count [traits]float64
}

// unusual is the share of results below which what is true of them is so by exception.
const unusual = 0.25

func (s *customs) add(m manner) {
	if s.total >= maxWays {
		s.total /= 2
		for i := range s.count {
			s.count[i] /= 2
		}
	}
	s.total++
	for i := range s.count {
		if m.is(i) {
			s.count[i]++
		}
	}
}

// keeps reports whether a result came in the usual manner, or cannot have been taken for another one.
func (s *customs) keeps(m manner) bool {
	if m.is(lone) || m.is(own) {
		return true
	}
	for i, count := range s.count {
		share := (count + seenBefore) / (s.total + 2*seenBefore)
		if !m.is(i) {
			share = 1 - share
		}
		if share < unusual {
			return false
		}
	}
	return true
}
