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
	// maxAwake is how many nodes are looked at for the next call.
	maxAwake = 4096
)

// builder makes chains' graphs. It lives for as long as the model does not change.
type builder struct {
	model *Model
	// positions is the last place in a row of calls that is told apart.
	positions uint8
	ways      []way
	stands    []stand
	// awake are the nodes that may act next. In a spacious request those are left
	// out that have not acted for longer than is usual, and those whose call is under
	// way where it is never seen that the request acts meanwhile. ends are the calls
	// that those wait for, by their ends, and firsts the first node of each call.
	awake, ends, firsts []int32
	spacious            bool
	// known holds habits that were looked up before.
	known [64]struct {
		situation situation
		habit     *habit
	}
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

// renew makes the builder forget what it knows of the model.
func (b *builder) renew(m *Model, positions uint8) {
	b.model, b.positions = m, positions
	clear(b.known[:])
}

// build makes the graph by what the model knows, and counts the steps that it took.
func (b *builder) build(c *chain) (steps int) {
	c.nodes = append(c.nodes[:0], node{last: -1, longest: -1})
	c.edges, c.anchored = c.edges[:0], false
	b.stands = append(b.stands[:0], b.stand(c, &c.nodes[0]))
	b.awake = append(b.awake[:0], 0)
	b.spacious = len(c.calls) > spacious
	b.sortEnds(c)
	for j, call := range c.calls {
		b.wake(c, call.start)
		steps += len(b.awake)
		b.ways = b.ways[:0]
		kept := b.awake[:0]
		for _, i := range b.awake {
			h, delay, log := b.stands[i].step(call.start)
			if b.spacious && delay > h.reach {
				if h == b.stands[i].all {
					continue
				}
			} else {
				b.offer(b.way(c, i, int32(j), log+h.log(call.callee, place(delay))))
			}
			kept = append(kept, i)
		}
		b.awake = kept
		b.join(c, int32(j))
	}
	b.finish(c)
	return steps + len(c.nodes)
}

// way is one from a node to a call.
func (b *builder) way(c *chain, from, call int32, log float64) way {
	n := &c.nodes[from]
	w := way{from: from, log: log, merit: log + b.stands[from].merit, longest: call, position: min(n.position+1, b.positions)}
	if n.longest >= 0 && c.calls[n.longest].end > c.calls[call].end {
		w.longest = n.longest
	}
	return w
}

// sortEnds orders the calls by their ends, at which their nodes wake up.
func (b *builder) sortEnds(c *chain) {
	b.ends, b.firsts = b.ends[:0], b.firsts[:0]
	if !b.spacious {
		return
	}
	for j := range c.calls {
		b.ends = append(b.ends, int32(j))
	}
	slices.SortFunc(b.ends, func(i, j int32) int {
		return cmp.Or(cmp.Compare(c.calls[i].end, c.calls[j].end), cmp.Compare(i, j))
	})
}

// wake lets the nodes of the calls that have ended by a time act again.
func (b *builder) wake(c *chain, at int64) {
	for len(b.ends) > 0 && c.calls[b.ends[0]].end <= at {
		call := b.ends[0]
		b.ends = b.ends[1:]
		if int(call) >= len(b.firsts) {
			continue
		}
		for i := b.firsts[call]; int(i) < len(c.nodes) && c.nodes[i].last == call; i++ {
			if b.stands[i].begun.reach == 0 {
				b.awake = append(b.awake, i)
			}
		}
	}
	if len(b.awake) > maxAwake {
		b.awake = slices.Delete(b.awake, 1, len(b.awake)-maxAwake+1)
	}
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
	b.firsts = append(b.firsts, int32(len(c.nodes)))
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
			if !b.spacious || b.stands[len(b.stands)-1].begun.reach > 0 {
				b.awake = append(b.awake, int32(len(c.nodes)-1))
			}
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
