package causality

// A loop whose handlers run one by one, each behind its read, goes on with a request before it reads anything else: libuv's do, and Node.js
// runs what waits for a promise before the next callback. So the first thing that it does after a read is due to that. It is not where a pool
// is too small, as an answer gives back a connection on which others wait; where timers fire behind reads; or where the loop
// reads first and acts on all of it then.
//
// Which it is, trails tell. A request's head leads to a call, its answer to the next one, and so on to a response. If each act is due to what was
// read directly before it, the response is that request's, and among several open requests it hardly is else.

const (
	// longestTrail is how many of the last steps of a trail are known.
	longestTrail = 8
	// maxTrails bounds the memory of a kind of steps, in trails: a pool may become too small from one moment to the next.
	maxTrails = 256
)

// stepKind is a kind of steps: from a kind of token to a class of acts. held says that the token gave back a connection while none was free:
// the act may have waited for that.
type stepKind struct {
	kind, class int
	held        bool
}

// adjacency counts the trails that went over one kind of steps, and those of them that led to the response of their request.
type adjacency struct {
	right, total float64
	// heldBy is the pool that seems to have held such acts back, nil where none does.
	heldBy *pool
}

func (a *adjacency) add(right bool) {
	if right && a.heldBy != nil {
		a.heldBy.unheld()
	}
	if a.total >= maxTrails {
		a.right, a.total = a.right/2, a.total/2
	}
	a.total++
	if right {
		a.right++
	}
}

// trail is whose an act is if each act on the way to it was due to what was read directly before.
type trail struct {
	// from is that request, nil where the trail does not come from one.
	from  *request
	steps [longestTrail]*adjacency
	n     int
}

// follow appends a step.
func (t *trail) follow(s *adjacency) {
	t.steps[t.n%longestTrail] = s
	t.n++
}

// ends takes to whose response the trail led, nil where its request was answered before it ended.
func (t *trail) ends(r *request) {
	if t.from == nil {
		return
	}
	for _, s := range t.steps[:min(t.n, longestTrail)] {
		s.add(t.from == r)
	}
}

// trail is that of what follows directly on a token.
func (t *token) trail() trail {
	switch {
	case t.request != nil:
		return trail{from: t.request}
	case t.call.settled():
		return trail{from: t.call.parent}
	}
	return t.call.trail
}

// adjoins takes an act, if it is the first one after what was read last, in its turn.
func (l *loop) adjoins(x *deed) {
	last := l.lastRead()
	if x.act.nth > 0 || !x.act.stimulus.gave(last) {
		return
	}
	x.adjacent, x.adjacency = last, l.adjacency(last.kind, x)
	t := last.trail()
	if t.from != nil && t.from.done != 0 {
		t.ends(nil)
		return
	}
	if x.open > 1 { // else it tells nothing
		t.follow(x.adjacency)
	}
	x.act.trail = t
}

// gave reports whether a token is of what was read last, and nothing else was read with it.
func (s *stimulus) gave(t *token) bool {
	return s != nil && !s.mixed && t != nil && s.request == t.request && s.call == t.call
}

// adjacency is what is known of such acts behind a kind of token.
func (l *loop) adjacency(kind int, x *deed) *adjacency {
	k := stepKind{kind, x.class, x.held}
	a := l.adjacencies[k]
	if a == nil {
		if l.adjacencies == nil {
			l.adjacencies = make(map[stepKind]*adjacency)
		}
		a = &adjacency{}
		if x.held {
			a.heldBy = l.pools[x.pool]
		}
		l.adjacencies[k] = a
	}
	return a
}

// leadsTo takes a response that comes after what was read last, in its turn.
func (l *loop) leadsTo(r *request, s *stimulus) {
	if last := l.lastRead(); s.gave(last) && last.call != nil {
		t := last.trail()
		t.ends(r)
	}
}

// elsewhere is the weight of a token for a deed where another one was read directly before it: the share of trails over such steps that led
// elsewhere, with one more than were seen. Where that is not small the deed may be due to any token.
func (x *deed) elsewhere(t *token) float64 {
	if x.adjacent == nil || x.adjacent == t {
		return 1
	}
	a := x.adjacency
	if wrong := (a.total - a.right + 1) / (a.total + 2); wrong < 1-sure {
		return wrong
	}
	return 1
}

// adjoins reports whether the deed is hardly due to anything but what was read directly before it.
func (x *deed) adjoins() bool { return x.elsewhere(nil) < 1 }
