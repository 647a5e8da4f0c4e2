package causality

import "slices"

const (
	// maxAnswered is how many answered requests of a goroutine are told apart where calls come after responses, and
	// fewAnswered how many where none has yet.
	maxAnswered, fewAnswered = 6, 2
	// leastDoubt is how probable it is at least that a call is of an answered request where its kind was seen to come
	// without one, before ids tell more.
	leastDoubt = 0.05
)

// candidates is how many answered requests are remembered.
func (m *aftermath) candidates() int {
	if m.alone == 0 {
		return fewAnswered
	}
	return maxAnswered
}

// earlier is the answered request that a call is of, if it is of one, and how sure that is among them.
type earlier struct {
	request *request
	kind    kind
	p       float64
	// born is how likely the goroutine was started when one of them was answered, but for a factor.
	born float64
}

// before returns the answered request that an act is likely of. Which, tell the delays that are usual
// here, which of them have such a call already, and when its goroutine was started.
func (g *goroutines) before(d *descent, a *act, m *aftermath) earlier {
	b := earlier{kind: m.kindOf(a)}
	most, sum, all := 0.0, 0.0, 0.0
	for _, r := range d.servant.answered {
		if d.born < r.read.Time {
			continue // the goroutine was there before
		}
		w := m.after(b.kind, a.since(r)) * m.room(b.kind, r)
		all += w
		w *= g.births.at(d.child, r.newest)
		if sum += w; w > most {
			b.request, most = r, w
		}
	}
	if b.request != nil {
		b.p, b.born = most/sum, sum/all
	}
	return b
}

// note has the act follow the request, unless a parent is found.
func (b *earlier) note(a *act) {
	if b.request != nil {
		a.follows(b.request, b.p*heirConfidence)
	}
}

// learnt takes what is to be learned from a call that is of no open request.
func (g *goroutines) learnt(d *descent, b earlier, m *aftermath) {
	if b.request != nil {
		g.births.learn(d.child, b.request.newest, b.p)
		m.followed(b.kind, b.request, b.p)
	}
}

// doubt is how probable it is that an act of a new goroutine is not of the request that is open: by the rates at which such
// calls come, or more where the goroutine was started before that was read.
func (g *goroutines) doubt(d *descent, a *act, m *aftermath, b earlier) float64 {
	doubt := m.doubt(a, &d.servant.spell)
	if b.request == nil || !m.seenAlone(a) {
		return doubt
	}
	least := max(doubt, leastDoubt)
	before, during := least*b.born, (1-least)*g.births.since(d.child, d.servant.open.newest)
	return max(doubt, before/(before+during))
}

// follower is a kind of calls that followed a request's response: how sure it is that there is one, how many may be of it,
// and how many of the kind there are to a response as a rule.
type follower struct {
	kind         kind
	p            float64
	calls, usual float64
}

func (r *request) follower(k kind) *follower {
	i := slices.IndexFunc(r.followers, func(f *follower) bool { return f.kind == k })
	if i >= 0 {
		return r.followers[i]
	}
	f := &follower{kind: k}
	r.followers = append(r.followers, f)
	return f
}

// followed takes a call that was r's with so much probability. Only what is nearly sure tells whether requests are followed
// by several: of what is not, some are always taken for one request's that are not.
func (m *aftermath) followed(k kind, r *request, p float64) {
	const clearly = 0.8
	h := m.kinds[k]
	if h == nil {
		return
	}
	f := r.follower(k)
	switch {
	case p < clearly:
	case f.p == 0:
		h.first++
	case f.p >= clearly:
		h.more++
	}
	f.p += p * (1 - f.p)
}

// room is how likely r is followed by one more call of a kind: few requests are followed by several, as a rule.
func (m *aftermath) room(k kind, r *request) float64 {
	const priorMore, priorFirst = 1, 4
	h := m.kinds[k]
	if h == nil {
		return 1
	}
	for _, f := range r.followers {
		if f.kind == k {
			return 1 - f.p + f.p*min(1, (h.more+priorMore)/(h.first+priorFirst))
		}
	}
	return 1
}

// crowd takes one more call of an event loop that may be r's. Where more come together after one response than there are to
// a response as a rule, most are of responses before, and nothing tells which.
func (m *aftermath) crowd(a *act, r *request) *follower {
	k := m.kindOf(a)
	f := r.follower(k)
	f.calls, f.usual = f.calls+1, 1
	if h := m.kinds[k]; h != nil && m.answered > 0 {
		f.usual = max(1, h.count[idle]/m.answered)
	}
	return f
}

// crowded reports whether there are more calls than can be of the request.
func (f *follower) crowded() bool {
	const slack = 4.0 / 3
	return f != nil && f.calls >= slack*f.usual
}
