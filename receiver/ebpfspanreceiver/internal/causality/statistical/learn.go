package statistical

// explorations is how often the first windows are solved to learn from themselves.
const explorations = 4

// leastNobodys is the part of the calls to every callee that are supposed to be
// nobody's while a window is explored.
const leastNobodys = 0.25

// maxElapsed, in microseconds, is the time at which what was learned of calls
// without a request is halved.
const maxElapsed = 3600e6

// explore learns from a window that is to be solved for the first time, by
// solving it again and again with what the last time taught (expectation and
// maximisation). What is learned here stays until it is forgotten.
func (m *Model) explore(w *window) {
	var before, now []observation
	for i := range explorations {
		e := toLearn
		if i < 2 && m.requests == 0 {
			e.positions = 0
		}
		w.solve(e)
		now = now[:0]
		for i := range w.chains {
			now = w.chains[i].observe(now)
		}
		for _, o := range before {
			m.learn(o, -1)
		}
		for _, o := range now {
			m.learn(o, 1)
		}
		before, now = now, before
		m.suppose(w, i+1 < explorations)
	}
	m.explored = before
}

// suppose computes how often calls of a window were nobody's, for as long as they
// are not decided. Up to the last exploration some of the calls to every callee
// are supposed to be nobody's: else those of timers are explained away as rare
// acts of requests before their own rate is known.
func (m *Model) suppose(w *window, more bool) {
	least := 0.0
	if more {
		least = leastNobodys
	}
	clear(m.supposed)
	for _, c := range w.calls {
		if !c.settled {
			m.supposed[c.callee] += max(w.nobodys(c), least)
		}
	}
}

// forget takes back what was explored.
func (m *Model) forget() {
	for _, o := range m.explored {
		m.learn(o, -1)
	}
	m.explored = m.explored[:0]
	clear(m.supposed)
}

// take learns from a request for good.
func (m *Model) take(c *chain) {
	m.observed = c.observe(m.observed[:0])
	for _, o := range m.observed {
		m.learn(o, 1)
	}
	if len(c.calls) > 0 {
		m.requests++
	}
}

// childless learns from a request that made no calls, where those of its endpoint do.
func (m *Model) childless(r *Request) {
	s := situation{endpoint: r.endpoint}
	if m.habits[s] != nil {
		m.learn(observation{situation: s, kind: ending, place: place(r.end - r.start)}, 1)
	}
}

// pass takes nanoseconds in which calls without a request could have happened.
func (m *Model) pass(nanoseconds int64) {
	m.elapsed += float64(nanoseconds) / 1e3
	if m.elapsed < maxElapsed {
		return
	}
	m.elapsed /= 2
	for callee := range m.strays {
		m.strays[callee] /= 2
	}
}

// alone is the rate, per microsecond, of calls to a callee that no request causes.
func (m *Model) alone(callee kind) float64 {
	const prior, during = 0.05, 1e6
	return (m.strays[callee] + m.supposed[callee] + prior) / (m.elapsed + during)
}
