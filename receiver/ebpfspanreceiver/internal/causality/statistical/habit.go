package statistical

import "math"

const (
	// maxCount is the weight at which what a habit has learned is halved, so that
	// it follows a program that changes.
	maxCount = 4096
	// borrowed is how many counts a habit borrows from a more general one, and
	// doubt the part of them that comes from no experience at all.
	borrowed = 3.0
	doubt    = 0.2
	// maxDeeds is how many kinds of act are looked through without an index.
	maxDeeds = 8
)

// relation is what a delay is counted from.
type relation uint8

const (
	_ relation = iota // from the time at which the request was read
	// afterAll counts from the end of the last call, when none is under way.
	afterAll
	// besideBegun counts from the begin of the last call, which is under way.
	besideBegun
	// besideEnded counts from the end of the last call while an earlier one is under way.
	besideEnded
)

// situation is where a request stands when it acts.
type situation struct {
	endpoint kind
	// previous is the callee that the delay is counted from.
	previous kind
	relation relation
	// position is the number of calls so far, or maxPosition.
	position uint8
}

// general returns the situation with less said of it; false where there is nothing more general.
func (s situation) general() (situation, bool) {
	switch {
	case s.position != anyPosition:
		s.position = anyPosition
	case s.endpoint != anyEndpoint:
		s.endpoint = anyEndpoint
	default:
		return s, false
	}
	return s, true
}

// habit is what was learned of the act that follows in a situation: its kind and
// its delay.
type habit struct {
	lower *habit
	total float64
	// deeds are the kinds of act, in the order of their first time; index finds them
	// where there are too many to look at each.
	deeds []*deed
	index map[kind]*deed
	// waits is how often the request waited, wait the logarithm of its probability.
	waits, wait float64
	// unseen is the logarithm of the part that is borrowed.
	unseen float64
	// compiled is the total at which the tables were made.
	compiled float64
	// reach is a delay, in nanoseconds, that nearly all acts come far before.
	reach int64
}

// deed is one kind of act in a habit.
type deed struct {
	kind   kind
	delays histogram
	table  table
}

// find returns the deed of a kind, nil where it was never done.
func (h *habit) find(k kind) *deed {
	if len(h.deeds) > maxDeeds {
		return h.index[k]
	}
	for _, d := range h.deeds {
		if d.kind == k {
			return d
		}
	}
	return nil
}

// log is the logarithm of the probability that the next act is of kind k and comes
// after the delay that lies at p, per microsecond.
func (h *habit) log(k kind, p float64) float64 {
	shift := 0.0
	for h.lower != nil {
		if d := h.find(k); d != nil {
			return shift + d.table.at(p)
		}
		shift += h.unseen
		h = h.lower
	}
	return shift + h.deeds[0].table.at(p)
}

// compile makes the tables anew where enough was learned since the last time.
func (h *habit) compile(base *habit) {
	if h.lower == nil {
		return
	}
	h.lower.compile(base)
	if math.Abs(h.total-h.compiled) <= h.compiled/16 {
		return
	}
	h.compiled = h.total
	h.unseen = math.Log(borrowed / (h.total + borrowed))
	h.reach = h.far()
	h.wait = math.Log((h.waits + borrowed*((1-doubt)*math.Exp(h.lower.wait)+doubt*math.Exp(base.wait))) / (h.total + borrowed))
	var share [bins]float64
	for _, d := range h.deeds {
		d.delays.smooth(&share)
		known := d.delays.count / (h.total + borrowed)
		lent := borrowed / (h.total + borrowed)
		for i := range share {
			width := math.Exp(logWidth[i])
			lower := (1-doubt)*math.Exp(h.lower.log(d.kind, float64(i))) + doubt*math.Exp(base.log(d.kind, float64(i)))
			d.table[i] = float32(math.Log(known*share[i]/width + lent*lower))
		}
	}
}

// far finds reach: two octaves beyond all acts but one in a thousand.
func (h *habit) far() int64 {
	if h.total < 20 {
		return math.MaxInt64
	}
	beyond, acts := 0.0, 0.0
	for _, d := range h.deeds {
		acts += d.delays.count
	}
	if acts <= h.total/1000 {
		return 0
	}
	for i := bins - 1; i >= 0; i-- {
		for _, d := range h.deeds {
			beyond += float64(d.delays.bins[i])
		}
		if beyond > h.total/1000 {
			return int64(delayScale * math.Exp2(float64(i+1)/binsPerOctave+2))
		}
	}
	return math.MaxInt64
}

func (h *habit) learn(k kind, place, weight float64) {
	h.total = max(h.total+weight, 0)
	if k == waiting {
		h.waits = max(h.waits+weight, 0)
	} else {
		h.act(k).delays.add(place, weight)
	}
	if h.total < maxCount {
		return
	}
	h.total /= 2
	h.waits /= 2
	for _, d := range h.deeds {
		d.delays.scale(0.5)
	}
}

// act returns the deed of a kind, a new one if need be.
func (h *habit) act(k kind) *deed {
	d := h.find(k)
	if d != nil {
		return d
	}
	d = &deed{kind: k}
	h.deeds = append(h.deeds, d)
	h.compiled = -1
	if len(h.deeds) <= maxDeeds {
		return d
	}
	if h.index == nil {
		h.index = make(map[kind]*deed)
		for _, d := range h.deeds {
			h.index[d.kind] = d
		}
	}
	h.index[k] = d
	return d
}

// unlearned returns a habit by which a few kinds of act are likely, all scales of
// delay alike, and the request waits unless it acts with a probability.
func unlearned(acts float64) *habit {
	h := &habit{deeds: []*deed{{}}, reach: math.MaxInt64, wait: math.Log(1 - acts)}
	if acts == 0 {
		acts = 1
	}
	for i := range h.deeds[0].table {
		h.deeds[0].table[i] = float32(math.Log(acts/(4*bins)) - logWidth[i])
	}
	return h
}
