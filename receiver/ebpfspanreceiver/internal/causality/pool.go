package causality

import (
	"math"
	"slices"
)

// pool is what is known of the calls of a loop to one peer.
type pool struct {
	// calls counts them, released those on connections that were given back just before.
	calls, released float64
	// held counts those that came at once when a connection was given back while none was free.
	held float64
	// shared says that calls go through connections that many share: they are decoded like those that wait.
	shared bool
	// queued says that calls wait for connections, passed which token the last of them rests on.
	queued bool
	passed uint64
	// decoded says that its calls were decoded as if none waited: those that did not tell what leads to them.
	decoded bool
	// settled is that of the last deed that was forgotten, end what that rests on.
	settled uint64
	end     []landmark
	riddle  riddle
	// inFlight is how many of them are open, most how many there were at most lately, and before how many
	// before that, which is forgotten slowly: a pool has as many connections in calm times as well.
	inFlight, most, before int
	// lag counts after how many turns those come that need not wait, prompt is their number.
	lag    [lags]float64
	prompt float64
	// first counts calls to the peer that are the first on their token, again others, last is the number after
	// that of the token of the last of them.
	first, again float64
	last         uint64
}

// more is the probability that a token leads to one more call.
func (p *pool) more() float64 {
	const few, many = 1e-4, 0.95
	return min(max((p.again-1)/(p.first+p.again+20), few), many)
}

// onlyPeer reports whether hardly any calls go to other peers.
func (l *loop) onlyPeer(pool int) bool {
	const few = 0.02
	for n, p := range l.pools {
		if p != nil && n != pool && p.calls > few*l.pools[pool].calls {
			return false
		}
	}
	return true
}

// teach adds a call of which it is known what led to it.
func (p *pool) teach(x *deed) {
	if p.first+p.again >= maxHabits {
		p.first, p.again = p.first/2, p.again/2
	}
	if t := x.source(); t != nil && t.number+1 == p.last {
		p.again++
	} else if t != nil {
		p.first, p.last = p.first+1, t.number+1
	}
	if x.waited {
		return
	}
	if p.prompt >= maxHabits {
		p.prompt /= 2
		for i := range p.lag {
			p.lag[i] /= 2
		}
	}
	p.prompt++
	for _, s := range x.sources {
		p.lag[lagBin(x.turn-s.token.turn)] += s.first
	}
}

// ended takes a call that is over.
func (a *act) ended() {
	if a.deed != nil && a.deed.in != nil {
		a.deed.in.inFlight--
		a.deed.in = nil
	}
}

// called counts a call or a connect.
func (p *pool) called(x *deed) {
	if p.calls >= maxHabits {
		p.calls, p.released, p.held = p.calls/2, p.released/2, p.held/2
		p.before, p.most = max(p.most, p.before-p.before/16), p.inFlight
	}
	p.calls++
	p.inFlight++
	p.most = max(p.most, p.inFlight)
	x.in, x.busy = p, p.inFlight
	if x.release == nil || x.opens {
		return
	}
	p.released++
	x.waited = x.busy >= p.limit()
	// What follows on the first exchange on a connection may be what it was opened for.
	if x.waited && x.tokens == x.release.number+1 && x.release.call.exchange.Connected == nil {
		p.held++
		x.held = true
	}
}

// unheld takes that a call did not wait for the connection that was given back just before. What has been decoded as a queue stays
// one: it takes less to go on, and each change forgets what was learned.
func (p *pool) unheld() {
	if !p.queued {
		p.held = max(p.held-1, 0)
	}
}

// limit is how many calls were under way at most lately.
func (p *pool) limit() int { return max(p.most, p.before) }

// queues reports whether calls wait for connections. waits says that they do for most. Where they
// did, it takes less to go on.
func (p *pool) queues(waits bool) bool {
	some := 0.05
	if p.queued {
		some = 0.01
	}
	return waits && p.released*2 > p.calls || p.held > some*p.calls
}

// queued reports whether the calls to a deed's peer wait for connections.
func (l *loop) queued(x *deed) bool {
	p := l.pools[x.pool]
	return p != nil && p.queued
}

// queue decides which calls are queued, and reports whether that is new for some. What leads to
// them is told by those that did not wait, so these must have been decoded before.
func (l *loop) queue() (fresh bool) {
	l.trying = false
	for n, p := range l.pools[:maxClasses-1] { // the last is of all peers for which there is no room
		if p == nil {
			continue
		}
		if p.shared {
			p.queued = true
			continue
		}
		was := p.queued
		p.queued = p.decoded && p.calls >= enough/2 && p.queues(l.waits)
		p.decoded = true
		if p.queued && !was {
			l.wait(n)
		}
		fresh = fresh || p.queued && p.first < young/4
		l.trying = (p.queued || l.apiece) && p.riddle.tries(l.seen()) || l.trying
	}
	return fresh
}

// wait takes back what was decoded of calls to a peer that had to wait, as if they had not: only
// the others tell what leads to them.
func (l *loop) wait(pool int) {
	for _, x := range l.deeds {
		if x.pool == pool && !x.waited {
			l.pools[pool].teach(x)
			l.pools[pool].passes(x)
		}
		if x.pool == pool && x.waited {
			claim(x, -1)
			x.sources = x.sources[:0]
			x.act.belief, x.act.forth = anybody(x.open), anybody(x.open)
		}
	}
	for _, t := range l.tokens {
		t.back.reset()
	}
	for i := range l.habits.kinds {
		k := &l.habits.kinds[i]
		sum, may := 0.0, false
		for j := range k.acts {
			if a := &k.acts[j]; int(l.poolOf[a.class]) == pool {
				a.total, may = a.prompt, true
			}
			sum += k.acts[j].total
		}
		if may {
			k.tokens = min(k.tokens, sum)
		}
	}
}

// passes takes what a call that need not wait rests on.
func (p *pool) passes(x *deed) {
	if t := x.source(); t != nil && !x.opens {
		p.passed = max(p.passed, t.number)
	}
}

// awaits takes a token that may lead to calls which still wait: as the last ones that did not rest on those before it.
func (k *kindHabits) awaits(l *loop, t *token) {
	for n, p := range l.pools {
		if p == nil || !p.queued || p.shared || t.number <= p.passed {
			continue
		}
		if k.pending == nil {
			k.pending = make(map[int]float64)
		}
		k.pending[n]++
	}
}

// wants is the share of tokens of this kind that lead to calls to the peer.
func (k *kindHabits) wants(l *loop, pool int) float64 {
	n := 0.0
	for i := range k.acts {
		if int(l.poolOf[k.acts[i].class]) == pool {
			n += k.acts[i].total
		}
	}
	return min(n/max(k.acting()-k.pending[pool], 1), 1)
}

// along is the probability that a token of this kind which led to something else wants the peer as well: at least so many lead
// to both as both together are more than all.
func (k *kindHabits) along(l *loop, pool int) float64 {
	others := 0.0
	for i := range k.acts {
		if int(l.poolOf[k.acts[i].class]) != pool {
			others += k.acts[i].total
		}
	}
	return alongside(k.wants(l, pool), others/k.acting())
}

// besides is the probability that a token of this kind which led to a call in a queue leads to something else as well.
func (k *kindHabits) besides(l *loop) float64 {
	queued, others := 0.0, 0.0
	for i := range k.acts {
		pool := l.poolOf[k.acts[i].class]
		if p := l.pools[pool]; p != nil && p.queued {
			queued = max(queued, k.wants(l, int(pool)))
		} else {
			others += k.acts[i].total
		}
	}
	return alongside(others/k.acting(), queued)
}

// alongside is the probability that a token leads to one sort of deeds where it led to another, by the shares of tokens that do.
func alongside(share, other float64) float64 {
	if share, other = min(share, 1), min(other, 1); other == 0 {
		return 0
	}
	return sharpened(max(share+other-1, 0) / other)
}

// wantsAfter is how probable it is that a token wants the peer, by how many turns went by in which it led to nothing
// else: what leads to other deeds as a rule would have done so. It is 0 for kinds of tokens that are not supposed to.
func (k *kindHabits) wantsAfter(l *loop, p *pool, pool int) *[lags]float64 {
	wants := new([lags]float64)
	want := p.wanted(k.wants(l, pool))
	if want < queueLeast {
		return wants
	}
	rest := max(1-want, 0)
	for e := range wants {
		wants[e] = sharpened(want / (want + rest))
		rest = max(rest-k.others(l, e), 0)
	}
	return wants
}

// others is the share of tokens of this kind that lead to deeds which wait for no connection, so many turns later.
func (k *kindHabits) others(l *loop, lag int) (n float64) {
	for i := range k.acts {
		if p := l.pools[l.poolOf[k.acts[i].class]]; p == nil || !p.queued {
			n += k.acts[i].lag[lag]
		}
	}
	return n / k.acting()
}

// chooses is the share of a class among the calls to its peer.
func (k *kindHabits) chooses(l *loop, x *deed) float64 {
	const prior = 0.02
	n, sum := prior, 2*prior
	for i := range k.acts {
		if int(l.poolOf[k.acts[i].class]) != x.pool {
			continue
		}
		sum += k.acts[i].total
		if k.acts[i].class == x.class {
			n += k.acts[i].total
		}
	}
	return n / sum
}

// mayWait tells for each kind of tokens whether it leads to calls that wait for connections.
func (h *habits) mayWait(l *loop) {
	const mostly = 0.5
	clear(l.mayWait[:])
	l.forks = false
	l.unexplained = slices.ContainsFunc(l.pools[:], (*pool).unexplained)
	for i := range min(len(h.kinds), maxClasses) {
		k := &h.kinds[i]
		for j := range k.acts {
			pool := l.poolOf[k.acts[j].class]
			if p := l.pools[pool]; p != nil && p.queued && k.wants(l, int(pool)) >= queueLeast {
				l.mayWait[i] = true
				l.forks = l.forks || k.besides(l) > mostly
			}
		}
	}
}

// queues reports whether a token may still wait for a connection.
func (l *loop) queues(t *token) bool {
	switch {
	case t.acted > 0.5:
		return false
	case l.unexplained:
		return true
	case !l.mayWait[t.kind]:
		return false
	}
	k := l.habits.kind(t.kind)
	for i := range k.acts {
		if p := l.pools[l.poolOf[k.acts[i].class]]; p != nil && p.queued && t.number > p.passed {
			return true
		}
	}
	return len(k.acts) == 0
}

// forget takes the next call to the peer that leaves the window. One on a connection that was opened for it is out of turn: the
// others do not go on behind it.
func (p *pool) forget(x *deed) {
	p.teach(x)
	if x.opens {
		return
	}
	p.settled = x.settled
	if p.shared {
		p.rememberShared(x)
		return
	}
	if len(x.sources) == 0 {
		return
	}
	p.end = p.end[:0]
	for _, s := range x.sources {
		p.end = append(p.end, landmark{number: s.token.number, share: s.share})
	}
}

// firstOf is the number of the first token that one of the deeds may rest on.
func firstOf(deeds []*deed) uint64 {
	const chance = 1e-3
	n := uint64(math.MaxUint64)
	for _, x := range deeds {
		for _, s := range x.sources {
			if s.share > chance {
				n = min(n, s.token.number)
				break
			}
		}
	}
	return n
}
