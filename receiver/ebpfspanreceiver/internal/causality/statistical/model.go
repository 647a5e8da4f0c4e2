package statistical

const (
	// maxKinds and maxHabits bound a model's memory: 4,096 names, and some 2 KiB
	// for each habit and act.
	maxKinds  = 4096
	maxHabits = 4096
	// maxPosition is the last place in a request's row of calls that is told apart.
	maxPosition = 15
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
	// Supposed are those of a window that is not decided yet.
	strays, supposed map[kind]float64
	elapsed          float64
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
		kinds:    map[string]kind{},
		habits:   map[situation]*habit{},
		base:     unlearned(0),
		beside:   unlearned(aside),
		strays:   map[kind]float64{},
		supposed: map[kind]float64{},
	}
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

// generally returns the habit that all others with a relation rest on.
func (m *Model) generally(r relation) *habit {
	if r == besideBegun || r == besideEnded {
		return m.beside
	}
	return m.base
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
	h := &habit{lower: lower, compiled: -1}
	m.habits[s] = h
	return h
}
