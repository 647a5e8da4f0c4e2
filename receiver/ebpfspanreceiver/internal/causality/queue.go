package causality

import (
	"slices"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/causality/alignment"
)

const (
	// queueLeast is the share of a kind of tokens below which it is not supposed to want a peer.
	queueLeast = 0.02
	// queueSlip is the probability that a call rests on no token that was seen, and that a token that wants the peer does not
	// lead to a call, sharedSlip the same where connections are shared.
	queueSlip, sharedSlip = 1e-4, 1e-3
	// tardy is the least probability that a call which need not wait for a connection comes so
	// many turns after its token.
	tardy = 0.003
	// ownRelease is the weight of the response that gave back the connection on which the call
	// waited: it is what it waited for, and hardly what led to it as well.
	ownRelease = 0.05
	// outOfStep is the probability that a call rests on another token than those next in the row, where most of those before
	// do not seem to.
	outOfStep = 1e-5
	// faint is the share of the most probable state below which one is given up.
	faint = 1e-7
)

// queue finds which token each call to one peer rests on, where calls wait for connections.
//
// Pools hand out connections first in, first out: whose call comes first is who wanted it
// first. So the calls to a peer are written in the order of the tokens that led to them,
// however long they waited, and a hidden Markov model whose state is the token that was acted
// on last connects the two rows.
type queue struct {
	pool int
	rows []*deed
	// places are the tokens that may want the peer, wants how probable that is by the kind of token.
	places []place
	wants  [maxClasses]*[lags]float64
	along  [maxClasses]float64
	// counts is how many numbers of rows on one token are told apart.
	counts int
	// before[n] are the states before row n: before[n][i*counts+c] is the probability that the last token
	// was at place from[n]+i-1, where -1 is none, and had c+1 rows.
	before [][]float64
	from   []int
	// done is how many rows were taken and not yet taken back. beta is what is known of the
	// states after the row that is taken back next, by place from betaFrom-1 on.
	done     int
	beta     []float64
	betaFrom int
	// slip is the least probability of a call without a token, and of a token without a call, jump that of a token that does
	// not follow on the last one: 0 where the rows are in step.
	slip, jump float64
	// moved and stayed are the weights of the places for the row at hand, as the first on the token
	// and as one more after so many, weights what the row itself says of them.
	moved, stayed, weights []float64
	// opens are how probable it is that the places are open to the row.
	opens, spare []float64
}

// queued reports whether the calls to a deed's peer are decoded as a queue.
func (d *decoder) queued(x *deed) *queue {
	if x.pool == 0 || x.pool >= len(d.queueOf) || x.opens {
		return nil
	}
	return d.queueOf[x.pool]
}

// prepare sets up the queues of the window.
func (d *decoder) prepare(l *loop) {
	used := d.assignQueues(l)
	for _, t := range l.tokens {
		t.queued = 0
	}
	if used == 0 {
		return
	}
	for _, x := range l.deeds {
		if q := d.queued(x); q != nil && !l.opensShared(x) {
			q.rows = append(q.rows, x)
		}
	}
	for _, q := range d.queues[:used] {
		d.wanting(l, q)
		for _, x := range q.rows {
			q.claimed(x, 1)
		}
		if p := l.pools[q.pool]; p.shared {
			q.beginShared(p.end)
		} else {
			q.begin(p.end)
		}
	}
}

// assignQueues gives a queue to each pool whose calls wait, and returns how many there are.
func (d *decoder) assignQueues(l *loop) (used int) {
	d.queueOf = d.queueOf[:0]
	for pool, p := range l.pools {
		d.queueOf = append(d.queueOf, nil)
		if p == nil || !p.queued || !p.shared && !l.waitsFor(pool) {
			continue
		}
		if used == len(d.queues) {
			d.queues = append(d.queues, &queue{})
		}
		q := d.queues[used]
		used++
		q.reset(pool)
		if q.counts, q.slip = 1, queueSlip; p.shared {
			q.counts, q.slip = maxBlock, sharedSlip
		}
		if q.jump = 0; !p.shared && p.riddle.unsolved {
			q.jump = outOfStep
		}
		d.queueOf[pool] = q
	}
	return used
}

// waitsFor reports whether a call in the window waited for a connection to the peer. Where none did, the tokens
// just before tell what leads to them.
func (l *loop) waitsFor(pool int) bool {
	return slices.ContainsFunc(l.deeds, func(x *deed) bool { return x.pool == pool && x.waited })
}

func (q *queue) reset(pool int) {
	q.pool, q.rows, q.places, q.from, q.done = pool, q.rows[:0], q.places[:0], q.from[:0], 0
	clear(q.wants[:])
}

// forthQueue takes the next row: what is believed of the tokens before it tells whose it is.
func (d *decoder) forthQueue(l *loop, q *queue, x *deed) {
	row := q.done
	q.done++
	after := x.after(&d.scratch)
	none := q.step(d, l, x, &after, row)
	from := q.from[row]
	next := q.next(row)
	lo, hi := q.trimmed(next)
	q.states(row+1, from+lo/q.counts, next[lo:hi])
	s := q.before[row+1]
	alignment.Normalise(s)
	l.pools[q.pool].passed = q.passed(row + 1)
	q.claim(x, -1)
	none = q.sources(x, from, none)
	q.claim(x, 1)
	if x.known() {
		return
	}
	at := openAt{x.step, x.request}
	d.mix.reset()
	for _, s := range x.sources {
		b := s.token.before(l.trust.share())
		d.mix.add(&b, s.share, at.is)
	}
	d.mix.rest += none
	x.act.forth = d.mix.belief(x.open)
}

// step fills moved with the weights of the places that the row may rest on, by the states
// before it, and weights with that of the row for each place. It returns the weight of none.
func (q *queue) step(d *decoder, l *loop, x *deed, after *belief, row int) (none float64) {
	before, from := q.before[row], q.from[row]
	at, open := openAt{x.step, x.request}, float64(max(1, x.open))
	q.moved, q.stayed, q.weights, q.opens = q.moved[:0], q.stayed[:0], q.weights[:0], q.opens[:0]
	reach := 0.0
	for i := 0; ; i++ {
		n := from + i - 1
		if n >= len(q.places) || n >= 0 && q.places[n].token.number >= x.tokens {
			break
		}
		known := i*q.counts < len(before)
		if !known && reach+q.jump < faint {
			break
		}
		m, w, h := 0.0, 0.0, 0.0
		var p *place
		if n >= 0 {
			p = &q.places[n]
			b := p.token.before(l.trust.share())
			w = (after.same(&b, at)*open + doubt) * q.lag(d, l, x, p.token, row) * d.habits.kind(p.token.kind).chooses(l, x)
			h = p.open(x, q.slip)
			switch {
			case !l.pools[q.pool].shared:
				h *= b.alive(at)
			case x.outlives(p.token.request):
				w *= outlived
			}
			m = (reach + q.jump) * h * w
			reach *= 1 - h
		}
		for c := range q.counts {
			again := 0.0
			if known {
				a, more := before[i*q.counts+c], 0.0
				if p != nil {
					more = p.more[c]
				}
				again = a * more * w
				reach += a * (1 - more)
				none += a * q.slip
			}
			q.stayed = append(q.stayed, again)
		}
		q.moved, q.weights, q.opens = append(q.moved, m), append(q.weights, w), append(q.opens, h)
	}
	for len(q.stayed) < len(before) {
		q.stayed = append(q.stayed, 0)
	}
	for len(q.moved)*q.counts < len(q.stayed) {
		q.moved, q.weights, q.opens = append(q.moved, 0), append(q.weights, 0), append(q.opens, 0)
	}
	return none
}

// lag is the weight of the time that has passed between the token and the row. Where no
// connection was free, that is how long the call waited, and tells nothing.
func (q *queue) lag(d *decoder, l *loop, x *deed, t *token, row int) float64 {
	if l.pools[q.pool].shared {
		return q.lagShared(l, x, t, row)
	}
	switch {
	case t.number < x.settled:
		return tardy
	case x.waited && x.adjoins():
		return x.elsewhere(t)
	case x.waited && x.release == t:
		return ownRelease
	case x.waited:
		return 1
	}
	p := l.pools[q.pool]
	w := (p.lag[lagBin(x.turn-t.turn)] + tardy) / (p.prompt + 1) * x.elsewhere(t)
	if x.turn == t.turn {
		w *= d.habits.near(int(x.reads-t.read)) / d.habits.anywhere(l.inTurn(x))
	}
	return w
}

// sources sets the row's sources from the weights of places, which are by place, from from-1
// on. It returns the share of none.
func (q *queue) sources(x *deed, from int, none float64) (share float64) {
	sum := none
	for _, w := range q.moved {
		sum += w
	}
	for _, w := range q.stayed {
		sum += w
	}
	x.sources = x.sources[:0]
	if sum <= 0 {
		return 1
	}
	for i, first := range q.moved {
		again := q.stayed[i*q.counts : (i+1)*q.counts]
		share := first
		for _, w := range again {
			share += w
		}
		if share < 1e-4*sum {
			continue
		}
		s := source{token: q.places[from+i-1].token, share: share / sum, first: first / sum}
		for c, w := range again {
			s.again[c] = w / sum
		}
		x.sources = append(x.sources, s)
	}
	return none / sum
}

// claim adds what the row rests on to what is known of the tokens, or takes it away.
func (q *queue) claim(x *deed, sign float64) {
	claim(x, sign)
	q.claimed(x, sign)
}

// claimed adds it to what the queue itself has claimed.
func (q *queue) claimed(x *deed, sign float64) {
	for _, s := range x.sources {
		s.token.queued += sign * s.first
		if i, ok := q.place(s.token.number); ok {
			q.places[i].claimed += sign * s.first
		}
	}
}

// backQueue takes the rows from the last on: what is known of the calls tells whose the tokens were.
func (d *decoder) backQueue(l *loop, q *queue, x *deed) {
	q.done--
	row := q.done
	after := x.after(&d.scratch)
	if row == len(q.rows)-1 {
		q.betaFrom, q.beta = q.from[row+1], q.beta[:0]
		for range q.before[row+1] {
			q.beta = append(q.beta, 1)
		}
	}
	_ = q.step(d, l, x, &after, row)
	none := 0.0
	for i, p := range q.before[row] {
		none += p * q.slip * q.ahead(row, i/q.counts, i%q.counts)
	}
	for i := range q.moved {
		q.moved[i] *= q.ahead(row, i, 0)
		for c := range q.counts {
			q.stayed[i*q.counts+c] *= q.ahead(row, i, q.another(c))
		}
	}
	q.claim(x, -1)
	lost := q.sources(x, q.from[row], none)
	q.claim(x, 1)
	for _, s := range x.sources {
		if s.token.call != nil {
			s.token.back.add(x, &after, s.share)
		}
	}
	if !x.known() {
		x.act.belief, x.act.sourceless = d.belief(l, x, &after, lost), lost
	}
	q.retreat(row)
}

// unqueuedOf returns those deeds of a turn that are in no queue.
func (d *decoder) unqueuedOf(deeds []*deed) []*deed {
	d.unqueued = d.unqueued[:0]
	for _, x := range deeds {
		if d.queued(x) == nil {
			d.unqueued = append(d.unqueued, x)
		}
	}
	return d.unqueued
}

// takeQueued decodes those deeds of a turn that are in queues, of shared connections or of others. What the other deeds of the
// turn rest on tells which tokens wait for a connection, so that must be known for these.
func (d *decoder) takeQueued(l *loop, deeds []*deed, shared, back bool) {
	for i := range deeds {
		x := deeds[i]
		if back {
			x = deeds[len(deeds)-1-i]
		}
		switch q := d.queued(x); {
		case q == nil, l.pools[x.pool].shared != shared, l.opensShared(x):
		case back:
			d.backQueue(l, q, x)
		default:
			d.forthQueue(l, q, x)
		}
	}
}
