package causality

import "slices"

const (
	// fewHops is over how many wake-ups a result comes to a request in most programs: who reads the answer wakes who
	// waits for it, or a pool's worker that wakes that one. Over more, chance brings the results of others as often as not.
	fewHops = 2
	// farBefore is as how often seen before, rightly and by chance, each way counts that is far.
	farBefore = 2
)

// chances tells how often the far claims of a kind of calls are by chance, by the number of wake-ups.
//
// Whoever is awake nearby gets results of others, too, and so the requests that these answer claim calls that are not
// theirs. As a rule the request's own call came to it by a nearer way, which refutes the claim. But where its own call is claimed by
// nobody, a claim by chance stands. How many of those that stand are by chance is therefore known: of those that
// were refuted, the share of calls that nobody claims.
type chances struct {
	ways [maxHops - fewHops]outcomes
	// calls counts calls, those as right that were claimed.
	calls agreement
}

// outcomes counts claims by one way: those that no nearer claim of their request refutes, and those that one does.
type outcomes struct{ stands, refuted float64 }

func (s *chances) at(c *claimed) *outcomes { return &s.ways[min(c.hops, maxHops)-fewHops-1] }

// learn takes a call that is about to be settled by its claims.
func (s *chances) learn(c *call) {
	s.calls.add(true)
	for i := range c.claims {
		o := &c.claims[i]
		if o.hops <= fewHops {
			continue
		}
		w := s.at(o)
		if w.stands+w.refuted >= maxWays {
			w.stands, w.refuted = w.stands/2, w.refuted/2
		}
		if o.request.hasNearer(c, o) {
			w.refuted++
		} else {
			w.stands++
		}
	}
}

// misses takes a call that nobody claims.
func (s *chances) misses(c *call) {
	if !c.missed {
		c.missed = true
		s.calls.add(false)
	}
}

// most is how much a claim that stands is believed at most, as it may be by chance.
func (s *chances) most(c *claimed) float64 {
	if c.hops <= fewHops {
		return 1
	}
	w := s.at(c)
	unclaimed := (s.calls.total - s.calls.right + 1) / (s.calls.total + 2)
	return max(0, 1-(w.refuted*unclaimed/(1-unclaimed)+farBefore)/(w.stands+2*farBefore))
}

// hasNearer reports whether another call of the kind came to the request by a nearer way.
func (r *request) hasNearer(to *call, by *claimed) bool {
	return slices.ContainsFunc(r.claims, func(o *call) bool {
		return o != to && o.endpoint(false) == to.endpoint(false) && slices.ContainsFunc(o.claims, func(its claimed) bool {
			return its.request == r && its.nearer(by)
		})
	})
}
