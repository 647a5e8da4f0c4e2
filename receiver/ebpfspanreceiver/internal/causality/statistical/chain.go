package statistical

import (
	"math"
	"slices"
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

// observe gives what the request's acts teach. What is half sure teaches a quarter,
// the square of its probability: else mixtures of explanations confirm themselves.
func (c *chain) observe(into []observation) []observation {
	const negligible = 0.03
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
				into = append(into, observation{situation: s.situation, kind: k, place: place(s.delay), weight: weight * weight})
				for _, in := range s.waited[:s.waits] {
					into = append(into, observation{situation: in, kind: waiting, weight: weight * weight})
				}
			}
		}
	}
	return into
}
