package causality

import (
	"net/netip"
	"slices"
	"time"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
)

const (
	// maxClasses bounds the kinds of acts and of tokens that are told apart.
	maxClasses = 64
	// maxNamed is how many of them are told apart by names, too.
	maxNamed = maxClasses / 2
	// maxTokens and maxDeeds bound the window of one loop.
	maxTokens, maxDeeds = 2048, 2048
	// enough is how many new deeds make it worth while to decode the window.
	enough = 48
	// patience is how long, in nanoseconds, fewer may wait for that.
	patience = int64(200 * time.Millisecond)
	// margin is how much must be decided before it is forgotten.
	margin = 64
)

// endpoint is what a kind of token or a class of acts is told by.
type endpoint struct {
	peer     netip.AddrPort
	path     string
	name     string
	incoming bool
	partial  bool
	connects bool
	ends     bool
}

// loop is the rung of event loops: the tokens and deeds of one thread, in order.
type loop struct {
	tokens []*token
	deeds  []*deed
	// dropped is how many tokens have left the window.
	dropped uint64
	turn    int
	// reads counts the reads that gave tokens, readAt is when the last of them was.
	reads  uint64
	readAt int64
	// waited is how often the thread had waited for that.
	waited uint32
	// acted is true while the last thing that happened was an act.
	acted bool
	// fresh is how many deeds there were since the window was decoded.
	fresh int
	// decoded is when that was, ran says that it was.
	decoded int64
	// through is the turn in which that was.
	through int
	ran     bool
	habits  habits
	// trust tells how often what was known before an act was confirmed by what came after.
	trust agreement
	// astray is the share of the last of them in which both differed: then either may be wrong.
	astray float64
	// idle tells how often nothing was done with the answer to a call that followed at once on what was read.
	idle agreement
	// waits says that calls wait for connections, as they do in a pool that is too small.
	waits bool
	// disorderly says that it is not the rule that one act follows on each token.
	disorderly bool
	// apart says that requests lead to calls only, and responses to responses: the loop may
	// put one before the other.
	apart  bool
	rhythm rhythm
	parts  parts
	line   line
	pace   pace
	// adjacencies are by the kind of steps.
	adjacencies map[stepKind]*adjacency
	unseen      unseen
	// late tells how often deeds are done out of order; apiece says that they are, and that those
	// for one peer are decoded by themselves. Then overtakes tells how often they overtake others.
	late, overtakes agreement
	apiece          bool
	// forks says that what leads to calls that wait for connections leads to other deeds as well.
	forks bool
	// shared says that connections carry many exchanges at once: what is for one of them waits until it is
	// written, so no order holds with others.
	shared bool
	kinds  map[endpoint]int
	// begun is, by the kind of whole responses, that of those to the same calls which go on, 0 where there were none.
	begun [maxClasses]uint8
	// pools are by number, that of the responses among them, poolOf by the class of acts.
	pools  [maxClasses]*pool
	poolOf [maxClasses]uint8
	// mayWait says which kinds of tokens lead to calls that wait for connections.
	mayWait [maxClasses]bool
	// unexplained says that it is not known which tokens lead to the calls that wait, trying that any
	// kind of token is tried for some of them.
	unexplained, trying bool
}

// number returns a small number for an endpoint; 0 is that of responses, the last
// that of all endpoints for which there is no room.
func (l *loop) number(e endpoint) int {
	if n, ok := l.kinds[e]; ok {
		return n
	}
	if l.kinds == nil {
		l.kinds = make(map[endpoint]int)
	}
	n := len(l.kinds) + 1
	if n > maxNamed && e.name != "" {
		e.name = ""
		return l.number(e)
	}
	if n >= maxClasses {
		return maxClasses - 1
	}
	l.kinds[e] = n
	return n
}

// readRequest takes a request's head, with so many others open.
func (l *loop) readRequest(r *request, others int) {
	l.line.reads(r, others)
	if since, gap := l.unseen.reads(r, others); gap {
		l.missed(since)
	}
	e := endpoint{name: r.exchange.Name, incoming: true}
	if r.exchange.Conn != nil {
		e.peer, e.path = r.exchange.Conn.Local, r.exchange.Conn.LocalPath
	}
	l.ready(&token{request: r, complete: true, step: r.opened, kind: l.number(e)}, r.read.Time)
}

// readWhole takes the end of a request whose head was read before, and reports whether its token
// became the last one. It does unless something was done since: that may have been for it, if it is not known to
// have been idle.
func (l *loop) readWhole(r *request, at int64, idle bool) bool {
	last, since := len(l.tokens)-1, l.dropped
	if n := len(l.deeds); n > 0 && !idle {
		since = l.deeds[n-1].tokens
	}
	i := last
	for i >= 0 && l.tokens[i].number >= since && l.tokens[i].request != r {
		i--
	}
	if i < 0 || l.tokens[i].number < since || i == last && l.tokens[i].turn == l.turn {
		return false
	}
	t := l.tokens[i]
	l.passed(t.number)
	copy(l.tokens[i:], l.tokens[i+1:])
	l.tokens[last] = t
	for j, t := range l.tokens[i:] {
		t.number = l.dropped + uint64(i+j)
	}
	l.rhythm.moved(t.turn, l.turn, t.sort())
	t.turn, t.read = l.turn, l.readingAt(at)
	return true
}

// passed takes that a token is behind those that were read after it.
func (l *loop) passed(number uint64) {
	for n := len(l.deeds) - 1; n >= 0 && l.deeds[n].tokens > number; n-- {
		l.deeds[n].tokens--
	}
	for _, p := range l.pools {
		if p != nil {
			p.forgoes(number)
		}
	}
}

// readingAt is the number of the read at a time: one may give several tokens.
func (l *loop) readingAt(at int64) uint64 {
	if at != l.readAt {
		l.reads, l.readAt = l.reads+1, at
	}
	return l.reads
}

func (l *loop) readResponse(c *call, complete bool, step uint64) *token {
	if complete {
		l.line.completes(c, l.turn)
	}
	t := &token{call: c, complete: complete, step: step, kind: l.number(c.endpoint(!complete))}
	if part, ok := l.kinds[c.endpoint(true)]; ok && complete {
		l.begun[t.kind] = uint8(part)
	}
	if n := len(l.tokens); complete && n > 0 && !l.acted && l.tokens[n-1].call == c {
		t.turn, t.number, t.read = l.tokens[n-1].turn, l.tokens[n-1].number, l.tokens[n-1].read
		l.tokens[n-1] = t
		return t
	}
	at := c.exchange.Response.First.Time
	if complete {
		at = c.exchange.Response.Last.Time
	}
	l.ready(t, at)
	return t
}

func (c *call) endpoint(partial bool) endpoint {
	e := remote(c.exchange.Conn)
	e.name, e.partial = c.exchange.Name, partial
	return e
}

// remote is the peer of a connection, which may be nil.
func remote(c *conn.Conn) endpoint {
	if c == nil {
		return endpoint{}
	}
	return endpoint{peer: c.Remote, path: c.RemotePath}
}

// ready appends a token that was read at a time: one read may give several. Where nothing is done
// for requests, as in a program that has none, the window is not decoded, which else keeps it small.
func (l *loop) ready(t *token, at int64) {
	switch n := len(l.tokens); {
	case n >= 2*maxTokens:
		l.forgetTokens(maxTokens)
	case n%margin == margin-1 && len(l.deeds) == 0:
		l.forgetTokens(l.over())
	}
	l.acted = false
	t.read = l.readingAt(at)
	t.turn, t.number = l.turn, l.dropped+uint64(len(l.tokens))
	l.tokens = append(l.tokens, t)
	l.rhythm.token(l.turn, t.sort())
}

// turns takes how often the thread has waited. Where that is not known, reading after
// acting begins a new turn. Turns never go back, though the count may begin anew.
func (l *loop) turns(waits uint32, reading bool) {
	const far = 2 * maxLagTurns
	switch {
	case waits == 0 && reading && l.acted:
		l.turn++
	case waits != 0 && waits != l.waited:
		l.turn += int(min(waits-l.waited, far))
		l.waited = waits
	}
}

func (l *loop) did(d *deed) {
	l.acted = true
	if d.request != nil && l.pools[0] == nil {
		l.pools[0] = &pool{}
	}
	d.reads = l.reads
	d.turn, d.tokens = l.turn, l.dropped+uint64(len(l.tokens))
	l.deeds = append(l.deeds, d)
	l.fresh++
	l.rhythm.deed(l.turn, d.kind)
}

// responded takes a response's first byte.
func (l *loop) responded(r *request, open int, step uint64) {
	l.line.responds(r, open, l.turn)
	l.pace.responds(l.turn, l.reads)
	l.shared = l.shared || r.exchange.Multiplexed
	l.did(&deed{request: r, open: open, step: step, lane: lane(r)})
}

// ended takes the last part of a response that was begun in an earlier turn.
func (l *loop) ended(r *request, open int, step uint64) {
	l.did(&deed{request: r, open: open, step: step, class: l.number(endpoint{ends: true}), lane: lane(r)})
}

// acts takes a call or a connect.
func (l *loop) acts(a *act, open int, step uint64) {
	l.shared = l.shared || a.call != nil && a.call.exchange.Multiplexed
	l.line.acts(a, l.shared)
	a.belief, a.forth, a.blindly = anybody(open), anybody(open), l.unseen.some()
	a.deed = &deed{act: a, open: open, step: step, class: l.number(a.to), kind: 1}
	if a.to.connects {
		a.deed.kind = 2
	} else if t := l.givenBack(a.conn); t != nil {
		a.deed.kind, a.deed.release = 3, t
	}
	l.did(a.deed)
	l.called(a.deed)
	l.adjoins(a.deed)
}

// retract takes back a connect: many share the connection, so it is no request's.
func (l *loop) retract(a *act) {
	l.line.retract(a, l.deeds)
	if i := slices.Index(l.deeds, a.deed); i >= 0 {
		claim(a.deed, -1)
		l.deeds = slices.Delete(l.deeds, i, i+1)
	}
}

// called counts a call or a connect.
func (l *loop) called(x *deed) {
	to := x.act.to
	to.connects = false
	x.pool = l.number(to)
	l.poolOf[x.class] = uint8(x.pool)
	if l.pools[x.pool] == nil {
		l.pools[x.pool] = &pool{}
	}
	x.opens = x.opening()
	l.pools[x.pool].called(x)
	l.pools[x.pool].shared = l.pools[x.pool].shared || x.act.call != nil && x.act.call.exchange.Multiplexed
}

// classify names the class of a call by what it asks for, which is known after it began.
func (l *loop) classify(x *deed) {
	if x.named || x.act == nil || x.act.to.connects || x.act.call == nil || x.act.call.exchange.Name == "" {
		return
	}
	x.named = true
	x.class = l.number(x.act.call.endpoint(false))
	l.poolOf[x.class] = uint8(x.pool)
}

// givenBack returns the token of the call on c that was completed in one of the
// last turns, nil where there is none, or where c is shared and need not be given back.
func (l *loop) givenBack(c *conn.Conn) *token {
	const recent, far = 3, 64
	if c != nil && c.Shared {
		return nil
	}
	for i := len(l.tokens) - 1; i >= max(0, len(l.tokens)-far) && c != nil; i-- {
		t := l.tokens[i]
		if l.turn-t.turn > recent {
			return nil
		}
		if t.call != nil && t.call.exchange.Conn == c {
			return t
		}
	}
	return nil
}

// seen is how many tokens there were.
func (l *loop) seen() uint64 { return l.dropped + uint64(len(l.tokens)) }

// mayTell reports whether the window is kept for what will be known of an act.
func (a *act) mayTell() bool {
	return !a.decided && a.open() && (a.call == nil || a.call.endedAt == 0 || !a.final() || !a.clear() && !a.followed())
}

// decode refines what is believed of the acts in the window, and forgets what is decided.
func (t *thread) decode(d *decoder, now int64) {
	if t.loop.fresh == 0 || t.loop.fresh < enough && now-t.loop.decoded < patience {
		return
	}
	t.loop.fresh, t.loop.decoded, t.loop.through = 0, now, t.loop.turn
	if t.loop.settled() {
		t.loop.forget()
		return
	}
	d.decode(&t.loop)
	for _, x := range t.loop.deeds {
		if x.act != nil && !x.act.settled() {
			x.act.learn(&t.loop, &t.order, &d.scratch)
			x.act.stays()
		}
	}
	turn := t.loop.turn
	for _, x := range t.loop.deeds {
		if x.act != nil && x.act.mayTell() {
			turn = x.turn
			break
		}
	}
	t.loop.trim(turn)
}
