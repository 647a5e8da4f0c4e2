package causality

import (
	"slices"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
)

const (
	// maxLagTurns is how many turns back a deed's token is looked for.
	maxLagTurns = 9
	// late is the weight of a deed whose token was passed over already in its turn.
	late = 0.02
	// doubt is the least that is left for what seems impossible.
	doubt = 1e-4
	// rounds is how often the window is gone through, forth and back, while the loop is new, and
	// queueRounds how often while queues are: what leads to their calls is learned from it.
	rounds, queueRounds = 2, 8
	// fewDeeds is how many deeds a window may have to be gone through as often for a riddle.
	fewDeeds = 400
	// young is how many tokens must be known before the habits are settled.
	young = 300
	// unlikely is the probability below which a token is not considered.
	unlikely = 1e-3
)

// source is a token that a deed may rest on, and how probable that is.
type source struct {
	token *token
	share float64
	// first is the part of it in which the deed is the first on the token, and again
	// those in which it follows on so many.
	first float64
	again [maxBlock]float64
}

// decoder finds which token each deed of a loop's window rests on.
//
// In each turn a loop runs what became ready in turns before, in the order in
// which that was read: for each token there is a probability, learned, that it is
// acted on after so many turns. So the deeds of one turn and the tokens before it
// are two rows, and what connects them is a hidden Markov model whose state is
// the token that was acted on last. The owner of a request's head and of a
// response is known; the owner of a call, and so of the token of its response, is
// what is looked for. Going forth, what is known of the tokens tells whose the
// deeds are; going back, what is known of the deeds tells whose the tokens were.
type decoder struct {
	habits     habits
	candidates []candidate
	part       []*deed
	// pool is that whose deeds are decoded by themselves, -1 where those of all are.
	pool int
	// lane is the connection whose responses are, nil where those of all are.
	lane *conn.Conn
	// late is how probable it is that the deed decoded last was done out of order.
	late        float64
	unqueued    []*deed
	emit        [][]float64
	same        [][]float64
	after       []belief
	orphan      []float64
	again       [][]float64
	alpha, beta [][]float64
	share       []float64
	// found is room for the sources of one deed before most are left out.
	found []source
	mix   mixture
	// queues are those of the window, queueOf those of the pools, nil where one has none.
	queues  []*queue
	queueOf []*queue
	scratch mixture
}

// openAt tells which requests may be at work when the deed happens.
type openAt struct {
	step     uint64
	response *request
}

func (o openAt) is(r *request) bool {
	return r == o.response || r.opened <= o.step && (r.done == 0 || r.done > o.step)
}

// settled reports whether evidence other than the loop's has decided.
func (a *act) settled() bool { return a.decided && a.thread == nil }

// certain is the belief of who knows the parent, which may be none.
func (a *act) certain() belief {
	if a.parent == nil {
		return belief{others: 1}
	}
	return certainly(a.parent)
}

// before is what is known of the token's owner from what was before.
func (t *token) before(trust float64) belief {
	switch {
	case t.request != nil:
		return certainly(t.request)
	case t.call.settled():
		return t.call.certain()
	}
	b := t.call.forth
	b.doubt(trust)
	return b
}

// after is what is known of the deed's owner from what came after.
func (x *deed) after(m *mixture) belief {
	switch {
	case x.request != nil:
		return certainly(x.request)
	case x.act.settled():
		return x.act.certain()
	case x.act.response == nil:
		return anybody(x.open)
	}
	return x.act.response.back.gathered(x, m)
}

// known reports whether the owner of the deed needs no decoding.
func (x *deed) known() bool { return x.request != nil || x.act.settled() }

// decode goes through the window of l.
func (d *decoder) decode(l *loop) {
	if len(l.tokens) == 0 || len(l.deeds) == 0 {
		return
	}
	l.habits.expected, l.habits.orphan, l.waits = l.rhythm.expectations()
	l.expectResponses()
	fresh := l.queue()
	l.apart = l.rhythm.parts()
	l.disorderly = !l.rhythm.answers() && (l.waits || l.habits.fansOut())
	n := 1
	if l.habits.size() < 4*young || l.trying {
		n = rounds
	}
	if fresh || l.trying && len(l.deeds) <= fewDeeds {
		n = queueRounds
	}
	for range n {
		l.order()
		d.pass(l)
	}
	l.ran = true
	d.explain(l)
}

// pass goes through the window once, forth and back.
func (d *decoder) pass(l *loop) {
	d.learn(l)
	d.prepare(l)
	d.claim(l.deeds, -1)
	for i := 0; i < len(l.deeds); {
		j := turnEnd(l.deeds, i)
		d.takeQueued(l, l.deeds[i:j], true, false)
		d.turn(l, l.deeds[i:j], false)
		d.claim(l.deeds[i:j], 1)
		d.takeQueued(l, l.deeds[i:j], false, false)
		i = j
	}
	for _, t := range l.tokens {
		t.back.reset()
	}
	for j := len(l.deeds); j > 0; {
		i := turnBegin(l.deeds, j)
		d.takeQueued(l, l.deeds[i:j], false, true)
		d.claim(l.deeds[i:j], -1)
		d.takeQueued(l, l.deeds[i:j], true, true)
		d.turn(l, l.deeds[i:j], true)
		j = i
	}
	d.claim(l.deeds, 1)
	for _, t := range l.tokens {
		t.decoded = true
	}
}

// claim adds to what is known of the tokens that the deeds rest on, or takes it away:
// a token that was acted on before is hardly acted on again. Queues claim by themselves.
func (d *decoder) claim(deeds []*deed, sign float64) {
	for _, x := range deeds {
		if d.queued(x) == nil {
			claim(x, sign)
		}
	}
}

func claim(x *deed, sign float64) {
	for _, s := range x.sources {
		s.token.acted += sign * s.first
	}
}

func turnEnd(deeds []*deed, i int) int {
	j := i + 1
	for j < len(deeds) && deeds[j].turn == deeds[i].turn {
		j++
	}
	return j
}

func turnBegin(deeds []*deed, j int) int {
	i := j - 1
	for i > 0 && deeds[i-1].turn == deeds[j-1].turn {
		i--
	}
	return i
}

// hadToWait reports whether the deed may have waited for the connection that another
// call gave back to a pool: then no token says whose it is.
func (l *loop) hadToWait(x *deed) bool { return x.release != nil && l.waits && x.waited }

// inTurn is how many reads of its turn gave tokens before a deed.
func (l *loop) inTurn(x *deed) int {
	first := x.reads
	for i := int(x.tokens-l.dropped) - 1; i >= 0 && l.tokens[i].turn == x.turn; i-- {
		first = l.tokens[i].read
	}
	return int(x.reads-first) + 1
}

// turn decodes the deeds of one turn that are in no queue.
func (d *decoder) turn(l *loop, deeds []*deed, back bool) {
	deeds = d.unqueuedOf(deeds)
	if len(deeds) == 0 {
		return
	}
	d.pool, d.lane = -1, nil
	if l.apiece {
		d.apiece(l, deeds, back)
		return
	}
	if !l.apart {
		d.rows(l, deeds, -1, back)
		return
	}
	for sort := range sorts {
		d.part = d.part[:0]
		for _, x := range deeds {
			if (x.kind == 0) == (sort == 1) {
				d.part = append(d.part, x)
			}
		}
		if len(d.part) > 0 {
			d.rows(l, d.part, sort, back)
		}
	}
}

// apiece decodes the deeds for each peer of one turn, and the responses on each connection.
func (d *decoder) apiece(l *loop, deeds []*deed, back bool) {
	for pool := range maxClasses {
		for i, x := range deeds {
			if x.pool != pool || slices.ContainsFunc(deeds[:i], x.inRowOf) {
				continue
			}
			d.part = d.part[:0]
			for _, y := range deeds[i:] {
				if x.inRowOf(y) {
					d.part = append(d.part, y)
				}
			}
			d.pool, d.lane = pool, x.lane
			d.rows(l, d.part, -1, back)
		}
	}
}

// inRowOf reports whether deeds of one turn are done in the order of their tokens.
func (x *deed) inRowOf(o *deed) bool { return x.pool == o.pool && x.lane == o.lane }

// rows decodes deeds of one turn, in their order, which rest on tokens in theirs.
func (d *decoder) rows(l *loop, deeds []*deed, only int, back bool) {
	d.gather(l, deeds, only)
	n, m := len(d.candidates), len(deeds)
	d.emit, d.again, d.same = matrix(d.emit, m, n), matrix(d.again, m, n), matrix(d.same, m, n)
	d.after, d.orphan = d.after[:0], d.orphan[:0]
	d.alpha, d.beta = matrix(d.alpha, m+1, (n+1)*states), matrix(d.beta, m+1, (n+1)*states)
	for row, x := range deeds {
		if l.hadToWait(x) {
			d.after, d.orphan = append(d.after, x.after(&d.scratch)), append(d.orphan, 1)
			continue
		}
		d.weigh(l, x, row)
	}
	d.forth(m, n)
	d.backward(m, n, deeds[0].turn == l.turn)
	for row, x := range deeds {
		d.conclude(l, x, row, back)
	}
}

// conclude takes from alpha and beta what the deed rests on.
func (d *decoder) conclude(l *loop, x *deed, row int, back bool) {
	none, z := d.sources(x, row)
	if z <= 0 {
		return
	}
	after := &d.after[row]
	if back {
		if l.seen() > young {
			l.late.count(d.late)
		}
		for _, s := range x.sources {
			if s.token.call != nil {
				s.token.back.add(x, after, s.share)
			}
		}
	}
	if x.known() {
		return
	}
	if back {
		x.act.belief, x.act.sourceless = d.belief(l, x, after, none), none
		return
	}
	at := openAt{x.step, x.request}
	d.mix.reset()
	for p, w := range d.share {
		if w <= 0 {
			continue
		}
		c := &d.candidates[p]
		d.mix.add(&c.before, w/d.same[row][p], at.is)
	}
	d.mix.rest += none
	x.act.forth = d.mix.belief(x.open)
}

// belief is whose the deed is, from both sides.
func (d *decoder) belief(l *loop, x *deed, after *belief, none float64) belief {
	d.mix.reset()
	for _, s := range x.sources {
		before := s.token.before(l.trust.share())
		both := before.and(after, x.open, &d.scratch)
		d.mix.add(&both, s.share, openAt{x.step, x.request}.is)
	}
	d.mix.add(after, none, openAt{}.any)
	return d.mix.belief(x.open)
}

func (o openAt) any(*request) bool { return true }
