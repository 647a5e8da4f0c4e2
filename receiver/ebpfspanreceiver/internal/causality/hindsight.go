package causality

// hindsight is whose a token is by the deeds that rest on it. A response says exactly whose it is. So a call that may rest on
// the same token tells something only as far as no response does: a timer's call in the turn of a response would else make it
// doubtful whose the response is.
type hindsight struct {
	// exact are responses, guessed calls.
	exact, guessed mixture
}

func (h *hindsight) reset() {
	h.exact.reset()
	h.guessed.reset()
}

// add takes a deed that is believed to be somebody's, and how probable it is that it rests on the token.
func (h *hindsight) add(x *deed, after *belief, share float64) {
	m := &h.guessed
	if x.request != nil {
		m = &h.exact
	}
	m.add(after, share, openAt{}.any)
}

// gathered is what was gathered of the owner of deed x, as a belief.
func (h *hindsight) gathered(x *deed, m *mixture) belief {
	m.reset()
	sum := m.take(&h.exact, x, 1)
	rest := 1.0
	if guessed, left := h.guessed.sum(), max(0, 1-sum); sum > 0 && guessed > left {
		rest = left / guessed
	}
	sum += m.take(&h.guessed, x, rest)
	m.rest += max(0, 1-sum)
	return m.belief(x.open)
}

// sum is all that was added.
func (m *mixture) sum() float64 {
	sum := m.rest
	for _, p := range m.p {
		sum += p
	}
	return sum
}

// take adds a part of what o has of requests that were open at deed x, and returns how much all of it was.
func (m *mixture) take(o *mixture, x *deed, part float64) float64 {
	at := openAt{step: x.step}
	for i, r := range o.who {
		if at.is(r) {
			m.put(r, part*o.p[i])
		}
	}
	m.rest += part * o.rest
	return part * o.sum()
}
