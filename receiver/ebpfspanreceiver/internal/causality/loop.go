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
	// maxTokens and maxDeeds bound the window of one loop.
	maxTokens, maxDeeds = 2048, 2048
	// enough is how many new deeds make it worth while to decode the window.
	enough = 48
	// patience is how long, in nanoseconds, fewer may wait for that.
	patience = int64(200 * time.Millisecond)
	// margin is how much must be decided before it is forgotten.
	margin = 64
)

// token makes a request runnable: its head was read, or a call's response was
// read.
type token struct {
	// request is set for a request's head, call for a call's response.
	request *request
	call    *call
	// complete is false for the beginning of a response that goes on.
	complete bool
	// turn is the loop's turn in which the token became ready, step the thread's step.
	turn int
	step uint64
	kind int
	// number counts the loop's tokens, from 0.
	number uint64
	// acted is how probable it is that it was acted on, and back whose the deeds are
	// that rest on it.
	acted float64
	back  mixture
}

// sort is 0 for a request's head and 1 for a call's response.
func (t *token) sort() int {
	if t.request != nil {
		return 0
	}
	return 1
}

// deed is something that the thread did for a request: it called, connected, or
// began a response.
type deed struct {
	// act is set for a call or connect, request for a response.
	act     *act
	request *request
	// turn and step are the loop's and the thread's, tokens how many tokens there were before.
	turn   int
	step   uint64
	tokens uint64
	class  int
	// kind is one of the kinds of deeds.
	kind int
	// release is the token of the call that gave back the connection just before, or nil.
	release *token
	// open is how many requests were open.
	open int
	// sources are the tokens that it may rest on.
	sources []source
}

// endpoint is what a kind of token or a class of acts is told by.
type endpoint struct {
	peer     netip.AddrPort
	path     string
	name     string
	incoming bool
	partial  bool
	connects bool
}

// loop is the rung of event loops: the tokens and deeds of one thread, in order.
type loop struct {
	tokens []*token
	deeds  []*deed
	// dropped is how many tokens have left the window.
	dropped uint64
	turn    int
	// waited is how often the thread had waited for that.
	waited uint32
	// acted is true while the last thing that happened was an act.
	acted bool
	// fresh is how many deeds there were since the window was decoded.
	fresh int
	// decoded is when that was.
	decoded int64
	habits  habits
	// trust tells how often what was known before an act was confirmed by what came after.
	trust agreement
	// waits says that calls wait for connections, as they do in a pool that is too small.
	waits bool
	// disorderly says that it is not the rule that one act follows on each token.
	disorderly bool
	// apart says that requests lead to calls only, and responses to responses: the loop may
	// put one before the other.
	apart  bool
	rhythm rhythm
	kinds  map[endpoint]int
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
	if n >= maxClasses {
		return maxClasses - 1
	}
	l.kinds[e] = n
	return n
}

func (l *loop) readRequest(r *request, step uint64) {
	e := endpoint{name: r.exchange.Name, incoming: true}
	if r.exchange.Conn != nil {
		e.peer, e.path = r.exchange.Conn.Local, r.exchange.Conn.LocalPath
	}
	l.ready(&token{request: r, complete: true, step: step, kind: l.number(e)})
}

func (l *loop) readResponse(c *call, complete bool, step uint64) *token {
	t := &token{call: c, complete: complete, step: step, kind: l.number(c.endpoint(!complete))}
	if n := len(l.tokens); complete && n > 0 && !l.acted && l.tokens[n-1].call == c {
		t.turn, t.number = l.tokens[n-1].turn, l.tokens[n-1].number
		l.tokens[n-1] = t
		return t
	}
	l.ready(t)
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

// ready appends a token. Where nothing is done for requests, as in a program that has none, the
// window is not decoded, which else keeps it small.
func (l *loop) ready(t *token) {
	if len(l.tokens) >= 2*maxTokens {
		l.forgetTokens(maxTokens)
	}
	l.acted = false
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
	d.turn, d.tokens = l.turn, l.dropped+uint64(len(l.tokens))
	l.deeds = append(l.deeds, d)
	l.fresh++
	l.rhythm.deed(l.turn, d.kind)
}

// responded takes a response's first byte.
func (l *loop) responded(r *request, open int, step uint64) {
	l.did(&deed{request: r, open: open, step: step})
}

// acts takes a call or a connect.
func (l *loop) acts(a *act, open int, step uint64) {
	a.belief, a.forth = anybody(open), anybody(open)
	a.deed = &deed{act: a, open: open, step: step, class: l.number(a.to), kind: 1}
	if a.to.connects {
		a.deed.kind = 2
	} else if t := l.givenBack(a.conn); t != nil {
		a.deed.kind, a.deed.release = 3, t
	}
	l.did(a.deed)
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

// trim forgets the turns before turn, but for tokens that may still be acted on, and
// what is too much.
func (l *loop) trim(turn int) {
	if n := len(l.deeds); n > maxDeeds {
		turn = max(turn, l.deeds[n-maxDeeds].turn)
	}
	m := 0
	for m < len(l.deeds) && l.deeds[m].turn < turn {
		m++
	}
	n := 0
	for n < len(l.tokens) && (l.tokens[n].turn < turn-maxLagTurns || len(l.tokens)-n > maxTokens) {
		n++
	}
	if m < margin && n < margin {
		return
	}
	for _, x := range l.deeds[:m] {
		x.teach(&l.habits)
	}
	for _, t := range l.tokens[:n] {
		l.habits.kind(t.kind).tokens++
	}
	l.habits.fade()
	l.forgetTokens(n)
	l.deeds = slices.Delete(l.deeds, 0, m)
}

// forgetTokens forgets the first n tokens.
func (l *loop) forgetTokens(n int) {
	l.tokens = slices.Delete(l.tokens, 0, n)
	l.dropped += uint64(n)
}

// settled reports whether every deed in the window was decided by other evidence: a
// thread that works on one request at a time is no loop.
func (l *loop) settled() bool {
	for _, x := range l.deeds {
		if x.act != nil && !x.act.settled() {
			return false
		}
	}
	return true
}

// forget empties the window.
func (l *loop) forget() {
	l.dropped += uint64(len(l.tokens))
	l.tokens, l.deeds = nil, nil
}

// decode refines what is believed of the acts in the window, and forgets what is decided.
func (t *thread) decode(d *decoder, now int64) {
	if t.loop.fresh == 0 || t.loop.fresh < enough && now-t.loop.decoded < patience {
		return
	}
	t.loop.fresh, t.loop.decoded = 0, now
	if t.loop.settled() {
		t.loop.forget()
		return
	}
	d.decode(&t.loop)
	for _, x := range t.loop.deeds {
		if x.act != nil && !x.act.settled() {
			x.act.learn(&t.loop, &t.order, &d.scratch)
		}
	}
	turn := t.loop.turn
	for _, x := range t.loop.deeds {
		if x.act != nil && !x.act.decided && (x.act.call == nil || x.act.call.endedAt == 0 || !x.act.final()) {
			turn = x.turn
			break
		}
	}
	t.loop.trim(turn)
}
