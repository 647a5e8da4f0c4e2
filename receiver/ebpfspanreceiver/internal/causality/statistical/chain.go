package statistical

import (
	"cmp"
	"math"
	"slices"
)

const (
	// maxIncoming is how many ways to come to a call are followed in a request, and
	// hopeless the logarithm by which one must be worse than the best not to be.
	maxIncoming = 12
	hopeless    = 10
	// spacious is the number of calls within a request above which ways that take
	// longer than nearly all that were learned are not looked at.
	spacious = 16
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
	// anchored says that factors are there, and anchors are the weights that they rest on.
	anchored bool
	anchors  []float64
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
	// forward is the weight of all paths to the node, posterior the probability
	// that the request's path goes through it.
	forward, posterior float64
}

// edge is a step from one call to the next, or to the response.
type edge struct {
	from int32
	// log is the model's logarithm, factor a number in its stead that keeps sums
	// over paths within the range of a float64; share is the part of its target's
	// weight that came over this edge.
	log, factor, share float64
}

// way is an edge that may be made.
type way struct {
	from int32
	// log is the model's logarithm, merit that of the best path over this way, where
	// every call's best counts 0.
	log, merit float64
	longest    int32
	position   uint8
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
func (b *builder) build(c *chain) {
	c.nodes = append(c.nodes[:0], node{last: -1, longest: -1})
	c.edges, c.anchored = c.edges[:0], false
	b.stands = append(b.stands[:0], b.stand(c, &c.nodes[0]))
	crowded := len(c.calls) > spacious
	for j, call := range c.calls {
		b.ways = b.ways[:0]
		for i := range c.nodes {
			n := &c.nodes[i]
			h, delay, log := b.stands[i].step(call.start)
			if crowded && delay > h.reach {
				continue
			}
			w := way{from: int32(i), log: log + h.log(call.callee, place(delay)), longest: int32(j), position: min(n.position+1, b.positions)}
			if n.longest >= 0 && c.calls[n.longest].end > call.end {
				w.longest = n.longest
			}
			w.merit = w.log + b.stands[i].merit
			b.offer(w)
		}
		b.join(c, int32(j))
	}
	b.finish(c)
}

// offer keeps a way if it is among the best, which stand first.
func (b *builder) offer(w way) {
	if len(b.ways) == maxIncoming {
		if w.merit <= b.ways[maxIncoming-1].merit {
			return
		}
		b.ways = b.ways[:maxIncoming-1]
	}
	b.ways = append(b.ways, w)
	i := len(b.ways) - 1
	for ; i > 0 && b.ways[i-1].merit < w.merit; i-- {
		b.ways[i] = b.ways[i-1]
	}
	b.ways[i] = w
}

// join makes the nodes of a call from the best ways to it.
func (b *builder) join(c *chain, call int32) {
	if len(b.ways) == 0 {
		return
	}
	best, last := b.ways[0].merit, len(b.ways)
	for b.ways[last-1].merit < best-hopeless {
		last--
	}
	b.ways = b.ways[:last]
	slices.SortFunc(b.ways, func(a, b way) int {
		return cmp.Or(cmp.Compare(a.longest, b.longest), cmp.Compare(a.position, b.position), cmp.Compare(a.from, b.from))
	})
	for i, w := range b.ways {
		if i == 0 || w.longest != b.ways[i-1].longest || w.position != b.ways[i-1].position {
			c.nodes = append(c.nodes, node{last: call, longest: w.longest, position: w.position})
			b.stands = append(b.stands, b.stand(c, &c.nodes[len(c.nodes)-1]))
		}
		s := &b.stands[len(b.stands)-1]
		s.merit = max(s.merit, w.merit-best)
		c.edges = append(c.edges, edge{from: w.from, log: w.log})
		c.nodes[len(c.nodes)-1].edges = int32(len(c.edges))
	}
}

// finish makes the node of the response. While the request is open any row of calls may go on.
func (b *builder) finish(c *chain) {
	for i := range c.nodes {
		log := 0.0
		if !c.request.open() {
			h, delay, waits := b.stands[i].step(c.request.end)
			log = waits + h.log(ending, place(delay))
		}
		c.edges = append(c.edges, edge{from: int32(i), log: log})
	}
	c.nodes = append(c.nodes, node{last: -1, longest: -1, edges: int32(len(c.edges))})
}

// sum computes the probability of each call, given each call's weight.
func (c *chain) sum(weights, probabilities []float64) {
	if !c.anchored || !c.forward(weights) {
		c.anchor(weights)
		c.forward(weights)
	}
	for i := range c.nodes {
		c.nodes[i].posterior = 0
	}
	c.nodes[len(c.nodes)-1].posterior = 1
	clear(probabilities)
	for i := len(c.nodes) - 1; i > 0; i-- {
		n := &c.nodes[i]
		if n.posterior == 0 {
			continue
		}
		if n.last >= 0 {
			probabilities[n.last] += n.posterior
		}
		for _, e := range c.edges[c.nodes[i-1].edges:n.edges] {
			c.nodes[e.from].posterior += n.posterior * e.share
		}
	}
}

// forward sums the weights of all paths, and leaves each edge its share. It reports
// whether the sums are within range.
func (c *chain) forward(weights []float64) bool {
	c.nodes[0].forward = 1
	first := int32(0)
	for i := 1; i < len(c.nodes); i++ {
		n := &c.nodes[i]
		edges := c.edges[first:n.edges]
		first = n.edges
		total := 0.0
		for k := range edges {
			e := &edges[k]
			e.share = c.nodes[e.from].forward * e.factor
			total += e.share
		}
		part := 0.0
		if total > 0 {
			part = 1 / total
		}
		for k := range edges {
			edges[k].share *= part
		}
		if n.forward = total; n.last >= 0 {
			n.forward *= weights[n.last] * c.anchors[n.last]
		}
	}
	const least, most = 1e-200, 1e200
	total := c.nodes[len(c.nodes)-1].forward
	return total > least && total < most
}

// anchor chooses the edges' factors so that, with these weights, the paths to each
// node weigh 1 in sum. The weight of every path from the first node to the last is
// changed in the same proportion by that, so probabilities are not.
func (c *chain) anchor(weights []float64) {
	c.anchors = slices.Grow(c.anchors[:0], len(weights))[:len(weights)]
	for j, w := range weights {
		c.anchors[j] = 1 / w
	}
	c.nodes[0].forward = 0
	first := int32(0)
	for i := 1; i < len(c.nodes); i++ {
		n := &c.nodes[i]
		edges := c.edges[first:n.edges]
		first = n.edges
		most := math.Inf(-1)
		for k := range edges {
			e := &edges[k]
			e.share = c.nodes[e.from].forward + e.log
			most = max(most, e.share)
		}
		total := 0.0
		for k := range edges {
			edges[k].factor = math.Exp(edges[k].share - most)
			total += edges[k].factor
		}
		for k := range edges {
			edges[k].factor /= total
		}
		if n.forward = most + math.Log(total); n.last >= 0 {
			n.forward += math.Log(weights[n.last])
		}
	}
	c.anchored = true
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

// builder makes chains' graphs. It lives for as long as the model does not change.
type builder struct {
	model     *Model
	positions uint8
	ways      []way
	stands    []stand
	// known holds habits that were looked up before.
	known [64]struct {
		situation situation
		habit     *habit
	}
}

// stand is a node in terms of habits: what it does next, by the calls that are under way then.
type stand struct {
	// lastBegun and lastEnded are the times of the last call, longestEnded that of
	// the one that ends last.
	lastBegun, lastEnded, longestEnded int64
	// begun, ended and all are the habits while the last call is under way, while an
	// earlier one is, and when none is.
	begun, ended, all *habit
	// merit is that of the best way to the node.
	merit float64
}

func (b *builder) stand(c *chain, n *node) stand {
	in := situation{endpoint: c.request.endpoint, position: n.position}
	if n.last < 0 {
		return stand{longestEnded: c.request.start, all: b.habit(in)}
	}
	last, longest := c.calls[n.last], c.calls[n.longest]
	s := stand{merit: math.Inf(-1), lastBegun: last.start, lastEnded: last.end, longestEnded: longest.end}
	in.previous, in.relation = last.callee, besideBegun
	s.begun = b.habit(in)
	if n.last != n.longest {
		in.relation = besideEnded
		s.ended = b.habit(in)
	}
	in.previous, in.relation = longest.callee, afterAll
	s.all = b.habit(in)
	return s
}

// step tells which habit and delay an act at a time comes from, and the logarithm
// of the probability of having waited until then. It is chain.step with habits.
func (s *stand) step(at int64) (h *habit, delay int64, waits float64) {
	if s.begun == nil {
		return s.all, at - s.longestEnded, 0
	}
	if s.lastEnded > at {
		return s.begun, at - s.lastBegun, 0
	}
	waits = s.begun.wait
	if s.ended != nil {
		if s.longestEnded > at {
			return s.ended, at - s.lastEnded, waits
		}
		waits += s.ended.wait
	}
	return s.all, at - s.longestEnded, waits
}

func (b *builder) habit(s situation) *habit {
	k := &b.known[(int(s.endpoint)*31+int(s.previous)*7+int(s.position)*4+int(s.relation))&63]
	if k.habit == nil || k.situation != s {
		k.situation, k.habit = s, b.model.habit(s)
	}
	return k.habit
}
