package statistical

import "math"

const (
	// maxKinds and maxHabits bound a model's memory: 4,096 names, and some 2 KiB
	// for each habit and act.
	maxKinds  = 4096
	maxHabits = 4096
	// maxCount is the weight at which what a habit has learned is halved, so that
	// it follows a program that changes.
	maxCount = 4096
	// maxPosition is the last place in a request's row of calls that is told apart.
	maxPosition = 15
	// borrowed is how many counts a habit borrows from a more general one, and
	// doubt the part of them that comes from no experience at all.
	borrowed = 3.0
	doubt    = 0.2
)

// kind is the name of an endpoint or of a callee, as a number.
type kind int32

const (
	// ending is the kind of the act that ends a request: its response.
	ending kind = 0
	// waiting is no act: the request lets a call end before it acts again.
	waiting kind = 1
	// other stands for the names beyond maxKinds.
	other kind = 2
	// anyEndpoint and anyPosition make a habit a general one.
	anyEndpoint kind  = -1
	anyPosition uint8 = 255
)

// relation is what a delay is counted from.
type relation uint8

const (
	// afterRead counts from the time at which the request was read.
	afterRead relation = iota
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
	acts  map[kind]*deed
	// few are the acts, while they are few enough to be found by looking at each.
	few []fewDeed
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
	delays histogram
	table  table
}

// fewDeed is a deed with its kind.
type fewDeed struct {
	kind kind
	*deed
}

func (h *habit) find(k kind) *deed {
	for i := range h.few {
		if h.few[i].kind == k {
			return h.few[i].deed
		}
	}
	if len(h.few) == len(h.acts) {
		return nil
	}
	return h.acts[k]
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
	return shift + h.acts[ending].table.at(p)
}

// generally returns the habit that all others with a relation rest on.
func (m *Model) generally(r relation) *habit {
	if r == besideBegun || r == besideEnded {
		return m.beside
	}
	return m.base
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
	for k, d := range h.acts {
		d.delays.smooth(&share)
		known := d.delays.count / (h.total + borrowed)
		lent := borrowed / (h.total + borrowed)
		for i := range share {
			width := math.Exp(logWidth[i])
			lower := (1-doubt)*math.Exp(h.lower.log(k, float64(i))) + doubt*math.Exp(base.log(k, float64(i)))
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
	for _, d := range h.acts {
		acts += d.delays.count
	}
	if acts <= h.total/1000 {
		return 0
	}
	for i := bins - 1; i >= 0; i-- {
		for _, d := range h.acts {
			beyond += float64(d.delays.bins[i])
		}
		if beyond > h.total/1000 {
			return int64(delayScale * math.Exp2(float64(i+1)/binsPerOctave+2))
		}
	}
	return math.MaxInt64
}

// Model is what was learned of one program: which calls a request to each of its
// endpoints makes, in which order, how often, and after which delays. Processes
// that run the same program may share one. It is not safe for concurrent use.
type Model struct {
	kinds  map[string]kind
	habits map[situation]*habit
	// base and beside are what is believed before anything is known, of a request
	// with no call under way and of one with a call.
	base, beside *habit
	// strays counts, for each callee, the calls that no request caused in elapsed microseconds.
	strays  map[kind]float64
	elapsed float64
	// requests is the number of requests with calls that were learned from.
	requests float64
	calibration
	// explored was learned for a while only; observed is scratch space.
	explored, observed []observation
}

// NewModel returns a model that has learned nothing.
func NewModel() *Model {
	const aside = 0.1
	return &Model{
		kinds:  map[string]kind{},
		habits: map[situation]*habit{},
		base:   unlearned(0),
		beside: unlearned(aside),
		strays: map[kind]float64{},
	}
}

// unlearned returns a habit by which a few kinds of act are likely, all scales of
// delay alike, and the request waits unless it acts with a probability.
func unlearned(acts float64) *habit {
	h := &habit{acts: map[kind]*deed{ending: {}}, reach: math.MaxInt64, wait: math.Log(1 - acts)}
	if acts == 0 {
		acts = 1
	}
	for i := range h.acts[ending].table {
		h.acts[ending].table[i] = float32(math.Log(acts/(4*bins)) - logWidth[i])
	}
	return h
}

// kind returns the number of a name.
func (m *Model) kind(name string) kind {
	k, ok := m.kinds[name]
	if ok {
		return k
	}
	if len(m.kinds) >= maxKinds {
		return other
	}
	k = other + 1 + kind(len(m.kinds))
	m.kinds[name] = k
	return k
}

// habit returns the most special habit that is known for a situation.
func (m *Model) habit(s situation) *habit {
	for {
		if h := m.habits[s]; h != nil {
			h.compile(m.generally(s.relation))
			return h
		}
		var ok bool
		if s, ok = s.general(); !ok {
			return m.generally(s.relation)
		}
	}
}

// observation is an act of a request, with the probability that it was one.
type observation struct {
	situation situation
	kind      kind
	place     float64
	weight    float64
}

// learn adds an observation times a factor to all habits that it is an example of.
func (m *Model) learn(o observation, factor float64) {
	for h := m.ensure(o.situation); h != nil && h.lower != nil; h = h.lower {
		h.learn(o.kind, o.place, o.weight*factor)
	}
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
	for _, d := range h.acts {
		d.delays.scale(0.5)
	}
}

func (h *habit) act(k kind) *deed {
	d := h.acts[k]
	if d == nil {
		d = &deed{}
		h.acts[k] = d
		if len(h.few) < cap(h.few) {
			h.few = append(h.few, fewDeed{k, d})
		}
		h.compiled = -1
	}
	return d
}

// ensure returns the habit of a situation, and makes it where there is room.
func (m *Model) ensure(s situation) *habit {
	if h := m.habits[s]; h != nil {
		return h
	}
	lower := m.generally(s.relation)
	if g, ok := s.general(); ok {
		lower = m.ensure(g)
	}
	if len(m.habits) >= maxHabits {
		return lower
	}
	h := &habit{lower: lower, acts: map[kind]*deed{}, few: make([]fewDeed, 0, 8), compiled: -1}
	m.habits[s] = h
	return h
}
