package causality

// duty is what a task has to do.
type duty uint8

const (
	// idle: nothing is open.
	idle duty = iota
	// due: it has read something since it called last, so that a call may be due.
	due
	// waiting: it has called already for what it read.
	waiting
	duties
)

// spell is the time of a task between two changes of its duty.
type spell struct {
	duty duty
	// since is when it began, and answered when the task answered a request last; 0
	// where it never did.
	since, answered int64
}

// turns ends the spell and begins the next one.
func (s *spell) turns(to duty, at int64, m *aftermath) {
	m.spent(s, at)
	s.duty, s.since = to, at
}

// closes ends the spell with a response.
func (s *spell) closes(left int, at int64, m *aftermath) {
	to := idle
	if left > 0 {
		to = waiting
	}
	s.turns(to, at, m)
	s.answered = at
	if len(m.kinds) > 0 {
		m.answered++
	}
}
