package statistical

import (
	"cmp"
	"math"
	"slices"
)

const (
	// maxIncoming is how many ways to come to a call are followed in a request.
	maxIncoming = 24
	// spacious is the number of calls within a request above which ways that take
	// longer than nearly all that were learned are not looked at.
	spacious = 48
)

// chain is a request and all rows of calls that may be its own: a graph whose
// paths from the first node to the last are the rows. The model gives each edge a
// weight, the other requests' claims give each call one, and forward and backward
// sums over all paths give the probability of each call and each edge.
type chain struct {
	request *Request
	// calls are those that lie within the request, by their begin; pair is the
	// number of the first one's pair in the window.
	calls []*Call
	pair  int
	nodes []node
	edges []edge
	// done says that nothing that its result depends on has changed.
	done bool
}

// node is a call made by the request, and what of the calls before it matters for
// what comes after it.
type node struct {
	// last is the index of the call, longest that of the call which ends last among
	// it and those before it; -1 where there is none.
	last, longest int32
	position      uint8
	// edges is the end of the node's incoming edges.
	edges int32
	// forward is the logarithm of the weight of all paths to the node, posterior
	// the probability that the request's path goes through it.
	forward, posterior float64
}

// edge is a step from one call to the next, or to the response.
type edge struct {
	from int32
	// log is the model's logarithm; share is the part of its target's weight that
	// came over this edge.
	log, share float64
}

// way is an edge that may be made.
type way struct {
	from     int32
	log      float64
	longest  int32
	position uint8
}

// step is what a request does between two of its acts.
type step struct {
	// situation is the one that it acts in, after a delay in nanoseconds.
	situation situation
	delay     int64
	// waited are the situations in which it could have acted before.
	waited [2]situation
	waits  int
}

func (s *step) wait(in situation) {
	s.waited[s.waits] = in
	s.waits++
}

// step tells what a request that stands at a node does until it acts next, at a time.
func (c *chain) step(n *node, at int64) (s step) {
	s.situation = situation{endpoint: c.request.endpoint, position: n.position}
	if n.last < 0 {
		s.delay = at - c.request.start
		return s
	}
	last, longest := c.calls[n.last], c.calls[n.longest]
	s.situation.previous, s.situation.relation = last.callee, besideBegun
	if last.end > at {
		s.delay = at - last.start
		return s
	}
	s.wait(s.situation)
	if n.last != n.longest {
		s.situation.relation = besideEnded
		if longest.end > at {
			s.delay = at - last.end
			return s
		}
		s.wait(s.situation)
	}
	s.situation.previous, s.situation.relation = longest.callee, afterAll
	s.delay = at - longest.end
	return s
}

// build makes the graph by what the model knows. Positions up to the given one are told apart.
func (c *chain) build(m *Model, positions uint8, ways []way) []way {
	c.nodes = append(c.nodes[:0], node{last: -1, longest: -1})
	c.edges = c.edges[:0]
	memo := memo{model: m}
	crowded := len(c.calls) > spacious
	for j, call := range c.calls {
		ways = ways[:0]
		for i := range c.nodes {
			n := &c.nodes[i]
			s := c.step(n, call.start)
			if crowded && s.delay > memo.habit(s.situation).reach {
				continue
			}
			w := way{from: int32(i), log: memo.log(&s, call.callee), longest: int32(j), position: min(n.position+1, positions)}
			if n.longest >= 0 && c.calls[n.longest].end > call.end {
				w.longest = n.longest
			}
			ways = append(ways, w)
		}
		c.join(int32(j), ways)
	}
	c.finish(&memo)
	return ways
}

// join makes the nodes of a call from the best ways to it.
func (c *chain) join(call int32, ways []way) {
	if len(ways) > maxIncoming {
		slices.SortFunc(ways, func(a, b way) int { return cmp.Or(cmp.Compare(b.log, a.log), cmp.Compare(a.from, b.from)) })
		ways = ways[:maxIncoming]
	}
	slices.SortFunc(ways, func(a, b way) int {
		return cmp.Or(cmp.Compare(a.longest, b.longest), cmp.Compare(a.position, b.position), cmp.Compare(a.from, b.from))
	})
	for i, w := range ways {
		if i == 0 || w.longest != ways[i-1].longest || w.position != ways[i-1].position {
			c.nodes = append(c.nodes, node{last: call, longest: w.longest, position: w.position})
		}
		c.edges = append(c.edges, edge{from: w.from, log: w.log})
		c.nodes[len(c.nodes)-1].edges = int32(len(c.edges))
	}
}

// finish makes the node of the response. While the request is open any row of calls may go on.
func (c *chain) finish(memo *memo) {
	for i := range c.nodes {
		n := &c.nodes[i]
		log := 0.0
		if !c.request.open() {
			s := c.step(n, c.request.end)
			log = memo.log(&s, ending)
		}
		c.edges = append(c.edges, edge{from: int32(i), log: log})
	}
	c.nodes = append(c.nodes, node{last: -1, longest: -1, edges: int32(len(c.edges))})
}

// sum computes the probability of each call, given the logarithm of each call's weight.
func (c *chain) sum(weights, probabilities []float64) {
	c.nodes[0].forward = 0
	first := int32(0)
	for i := 1; i < len(c.nodes); i++ {
		n := &c.nodes[i]
		n.forward = c.gather(c.edges[first:n.edges])
		if n.last >= 0 {
			n.forward += weights[n.last]
		}
		n.posterior, first = 0, n.edges
	}
	c.nodes[0].posterior = 0
	c.nodes[len(c.nodes)-1].posterior = 1
	clear(probabilities)
	for i := len(c.nodes) - 1; i > 0; i-- {
		n := &c.nodes[i]
		for _, e := range c.edges[c.nodes[i-1].edges:n.edges] {
			c.nodes[e.from].posterior += n.posterior * e.share
		}
		if n.last >= 0 {
			probabilities[n.last] += n.posterior
		}
	}
}

// gather returns the logarithm of the weight of all paths over some edges to one
// node, and leaves each edge its share.
func (c *chain) gather(edges []edge) float64 {
	most := math.Inf(-1)
	for i := range edges {
		e := &edges[i]
		e.share = c.nodes[e.from].forward + e.log
		most = max(most, e.share)
	}
	total := 0.0
	for i := range edges {
		e := &edges[i]
		if e.share -= most; e.share > -40 {
			e.share = math.Exp(e.share)
			total += e.share
		} else {
			e.share = 0
		}
	}
	for i := range edges {
		edges[i].share /= total
	}
	return most + math.Log(total)
}

// observe gives what the request's acts teach, each with its probability.
func (c *chain) observe(into []observation) []observation {
	const negligible = 0.01
	for i := len(c.nodes) - 1; i > 0; i-- {
		n := &c.nodes[i]
		k, at := ending, c.request.end
		if n.last >= 0 {
			k, at = c.calls[n.last].callee, c.calls[n.last].start
		} else if c.request.open() {
			continue
		}
		for _, e := range c.edges[c.nodes[i-1].edges:n.edges] {
			if weight := n.posterior * e.share; weight > negligible {
				s := c.step(&c.nodes[e.from], at)
				into = append(into, observation{situation: s.situation, kind: k, place: place(s.delay), weight: weight})
				for _, in := range s.waited[:s.waits] {
					into = append(into, observation{situation: in, kind: waiting, weight: weight})
				}
			}
		}
	}
	return into
}

// memo finds habits again without a look-up in the model's map.
type memo struct {
	model *Model
	known [8]struct {
		situation situation
		habit     *habit
	}
}

func (m *memo) habit(s situation) *habit {
	k := &m.known[(int(s.previous)+3*int(s.relation)+5*int(s.position))&7]
	if k.habit == nil || k.situation != s {
		k.situation, k.habit = s, m.model.habit(s)
	}
	return k.habit
}

// log is the logarithm of the probability of a step to an act of a kind.
func (m *memo) log(s *step, k kind) float64 {
	log := m.habit(s.situation).log(k, place(s.delay))
	for _, in := range s.waited[:s.waits] {
		log += m.habit(in).wait
	}
	return log
}
