package causality

import (
	"math"
	"slices"
	"sort"
)

const (
	// loneWeight is the weight of a request none of whose other calls are known.
	loneWeight = 1e-4
	// astray is the weight of none of the requests.
	astray = 1e-3
	// undisturbed is the confidence in what the order tells where it is as always around a call, disturbed that where it is not:
	// measured with CPython's pools, 99.97 % and 96 % of these are right, where acts of a kind follow each other 92 %.
	undisturbed, disturbed = 0.99, 0.88
	// usuallyLost is the share of calls of a kind that nobody claims from which on their order is the usual one. Where a
	// result is waited for first, it is lost only if the request's thread was held up before: between its calls, as a rule.
	// Measured, up to 13 % of those are lost, and the order tells of half of them wrongly; of the others 54 to 73 %.
	usuallyLost = 0.25
	// balanced is how often the weights are balanced.
	balanced = 24
	// surrounded is how long, in nanoseconds, after a call has ended those around it are known.
	surrounded = int64(400e6)
	// maxPast bounds those requests, maxLost the calls.
	maxPast, maxLost = 8192, 2048
)

// jobOrder finds the calls of a request whose results nobody waited for, because they were there
// already. A request's jobs stand one behind the other in a pool's queue, so its calls begin one
// after the other, but for workers that overtake each other: how far apart two kinds of calls of one request
// begin, counted in calls, is learned where both are known. Which call is whose is then an
// assignment: each call has one request, and each request one call of a kind.
type jobOrder struct {
	distances map[pairKind]*distance
	// past are requests that have ended, lost the calls that nobody claimed, in the order of their ends.
	past   []*request
	lost   []*call
	places places
	// remembered is how long, in nanoseconds, requests are kept that have ended: twice as long as calls wait that
	// nobody claims.
	remembered int64
	// clock is the latest time, decided that of the last assignment; more says that more of calls is known since, and
	// due that the next one is wanted.
	clock, decided int64
	more, due      bool
}

// began takes an act of a worker.
func (o *jobOrder) began(a *act, w *worker) {
	a.place, a.placedBy = o.places.place(w, a.conn == nil, a.origin.Time)
	o.places.take(a.place)
}

// apart returns how many calls later than another one a call began.
func (o *jobOrder) apart(from, to *call) int {
	return o.places.rank(to.place) - o.places.rank(from.place)
}

// learn takes two calls of one request.
func (o *jobOrder) learn(a, b *call) {
	d := o.apart(a, b)
	o.distance(a, b).add(d, a.placedBy, b.placedBy)
	o.distance(b, a).add(-d, b.placedBy, a.placedBy)
}

func (o *jobOrder) distance(a, b *call) *distance {
	k := pairKind{a.endpoint(false), b.endpoint(false)}
	d := o.distances[k]
	if d == nil {
		if o.distances == nil || len(o.distances) >= maxClasses*maxClasses {
			o.distances = make(map[pairKind]*distance)
		}
		d = &distance{}
		o.distances[k] = d
	}
	return d
}

// ended takes a request that may have caused a call that nobody claims.
func (o *jobOrder) ended(r *request) {
	o.clock = max(o.clock, r.exchange.End.Time)
	old := 0
	for old < len(o.past) && (len(o.past)-old >= maxPast || o.clock-o.past[old].exchange.End.Time > o.remembered) {
		old++
	}
	for _, r := range o.past[:old] {
		r.claims, r.handed = nil, nil // else each request keeps those before it, by the calls that both claim
	}
	o.past = append(slices.Delete(o.past, 0, old), r)
}

// share is how probable it is that a call is a request's.
type share struct {
	request *request
	weight  float64
	column  int
}

// lose takes a call that nobody claimed, and reports whether its order may tell whose it is, at least later.
func (o *jobOrder) lose(c *call) bool {
	if len(o.lost) >= maxLost || !o.knows(c, 1) {
		return false
	}
	if c.lostAt == 0 {
		c.lostAt = o.clock
		o.lost, o.more = append(o.lost, c), true
		if c.kind != nil {
			c.kind.lost.add(true)
		}
	}
	return true
}

// knows reports whether at least so many pairs of such a call and another one were seen.
func (o *jobOrder) knows(c *call, pairs float64) bool {
	e := c.endpoint(false)
	for k, d := range o.distances {
		if k.to == e && k.from != e && d.all.total >= pairs {
			return true
		}
	}
	return false
}

// assigned reports whether a call was assigned when those around it were known, or nothing new is known since.
func (o *jobOrder) assigned(c *call) bool {
	return o.decided-c.endedAt >= surrounded || o.decided == o.clock && !o.more
}

// assign tells of all calls that were lost whose they are, as far as their order does. What it has told stands once the
// requests around a call are forgotten.
func (o *jobOrder) assign() {
	o.decided, o.more, o.due = o.clock, false, false
	o.lost = slices.DeleteFunc(o.lost, func(c *call) bool { return c.decided || o.clock-c.endedAt > o.remembered })
	columns := make(map[orderColumn]int)
	rows := make([][]share, len(o.lost))
	for i, c := range o.lost {
		for _, r := range o.around(c) {
			if w := o.weight(c, r); w > 0 {
				rows[i] = append(rows[i], share{r, w, column(columns, r, c)})
			}
		}
	}
	balance(rows, len(columns))
	for i, c := range o.lost {
		c.queued = nil
		for _, s := range rows[i] {
			if c.queued == nil || s.weight > c.queuedShare {
				c.queued, c.queuedShare = s.request, s.weight
			}
		}
		if len(rows[i]) > 1 && c.queuedShare > reliable {
			c.queuedShare = o.told(c, c.queued)
		}
	}
}

// told is the confidence that a call is the likeliest request's, where others might have made it: so far the order around it
// was taken for the usual one.
func (o *jobOrder) told(c *call, r *request) float64 {
	other := o.nearest(c, r)
	switch {
	case other == nil || c.kind == nil || c.kind.lost.share() < usuallyLost:
		return handoffDoubt
	case c.placedBy == markStale || other.placedBy == markStale:
		return disturbed
	case !o.places.regular(step{other.place, other.kind}, step{c.place, c.kind}):
		return disturbed
	}
	return undisturbed
}

// around are the requests that ended after a call, and before it was lost.
func (o *jobOrder) around(c *call) []*request {
	ended := func(at int64) int {
		return sort.Search(len(o.past), func(i int) bool { return o.past[i].exchange.End.Time >= at })
	}
	return o.past[ended(c.endedAt):max(ended(c.endedAt), ended(c.lostAt+1))]
}

// orderColumn is a request's call of a kind, which it makes once.
type orderColumn struct {
	request *request
	kind    endpoint
}

func column(columns map[orderColumn]int, r *request, c *call) int {
	k := orderColumn{r, c.endpoint(false)}
	n, ok := columns[k]
	if !ok {
		n = len(columns)
		columns[k] = n
	}
	return n
}

// weight is that of a call as one of a request's: 0 where it cannot be.
func (o *jobOrder) weight(c *call, r *request) float64 {
	if r.read.Time > c.origin.Time || r.exchange.Response.First.Time < c.endedAt || r.made(c) {
		return 0
	}
	other := o.nearest(c, r)
	if other == nil {
		return loneWeight
	}
	return o.distance(other, c).share(o.apart(other, c), other.placedBy, c.placedBy)
}

// nearest returns the request's call that stands nearest to one that was lost, of those that tell where it should stand; nil
// where none does.
func (o *jobOrder) nearest(c *call, r *request) (nearest *call) {
	least := math.MaxInt
	for _, other := range r.handed {
		n := o.apart(other, c)
		if far := max(n, -n); far < least && other.lostAt == 0 && o.distance(other, c).all.total >= enoughPairs {
			nearest, least = other, far
		}
	}
	return nearest
}

// balance makes the weights of each row, with that of none of the requests, sum up to 1, and those of each column
// to no more.
func balance(rows [][]share, columns int) {
	sums := make([]float64, columns)
	none := make([]float64, len(rows))
	for i := range none {
		none[i] = astray
	}
	for range balanced {
		clear(sums)
		for i, row := range rows {
			sum := none[i]
			for _, s := range row {
				sum += s.weight
			}
			none[i] /= sum
			for i := range row {
				row[i].weight /= sum
				sums[row[i].column] += row[i].weight
			}
		}
		for _, row := range rows {
			for i := range row {
				row[i].weight /= max(1, sums[row[i].column])
			}
		}
	}
}
