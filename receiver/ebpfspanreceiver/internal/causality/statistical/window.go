package statistical

import (
	"math"
	"slices"
)

const (
	// certain is the weight of a call that is known to be a request's.
	certain = 1e30
	// surest keeps a probability away from 0 and 1.
	surest = 1e-12
)

// effort is how exactly a window is solved.
type effort struct {
	// positions is the last place in a request's row of calls that is told apart.
	positions uint8
	// sweeps bounds how often the requests' claims are weighed against each other.
	sweeps int
	// settled is the change of a call's weight, as a part of it, that no longer matters.
	settled float64
}

var (
	toDecide = effort{positions: maxPosition, sweeps: 100, settled: 0.03}
	toLearn  = effort{positions: maxPosition, sweeps: 25, settled: 0.2}
)

// window is a set of requests and the calls that only they can have caused. Each
// request claims calls by its chain, each call goes to one request: the claims are
// exchanged until they agree (belief propagation), which gives the probability of
// each pair of call and request.
type window struct {
	model  *Model
	chains []chain
	// calls of the window, and for each the numbers of its pairs.
	calls []*Call
	pairs [][]int32
	// claims are the odds at which a request claims a call against the rest of the
	// world, weights the inverse of what the rest claims; probabilities is what
	// comes out of a chain.
	claims, weights, probabilities []float64
	// owner is the chain of each pair.
	owner   []int32
	builder builder
	// sweeps counts those of this solution, steps what was done in all.
	sweeps, steps int
}

// solve makes the chains by what the model knows now, and weighs the claims.
func (w *window) solve(e effort) {
	w.builder.renew(w.model, e.positions)
	for i := range w.chains {
		w.steps += w.builder.build(&w.chains[i])
		w.chains[i].done = false
	}
	w.guess()
	for w.sweeps = 0; w.sweeps < e.sweeps; w.sweeps++ {
		if !w.sweep(e.settled) {
			break
		}
	}
}

// guess gives every pair the claim of the best single step that leads to its call.
func (w *window) guess() {
	for i := range w.chains {
		c := &w.chains[i]
		for j := range c.calls {
			w.claims[c.pair+j] = 0
		}
		for n := 1; n < len(c.nodes)-1; n++ {
			for _, e := range c.edges[c.nodes[n-1].edges:c.nodes[n].edges] {
				p := c.pair + int(c.nodes[n].last)
				w.claims[p] = max(w.claims[p], math.Exp(e.log))
			}
		}
	}
}

// rest is the sum of all claims to a call but one's own.
func (w *window) rest(call *Call, own int32) float64 {
	total := w.model.alone(call.callee)
	for _, p := range w.pairs[call.index] {
		if p != own {
			total += w.claims[p]
		}
	}
	return total
}

// sweep lets each request whose calls are claimed otherwise than before weigh its
// rows again. It reports whether there was one.
func (w *window) sweep(settled float64) bool {
	changed := false
	for i := range w.chains {
		c := &w.chains[i]
		for j, call := range c.calls {
			p := c.pair + j
			weight := certain
			if call.parent == nil {
				weight = 1 / w.rest(call, int32(p))
			}
			if !c.done || math.Abs(weight-w.weights[p]) > settled*weight {
				w.weights[p] = weight
				c.done = false
			}
		}
		if c.done {
			continue
		}
		changed = true
		w.claim(c)
		c.done = true
	}
	return changed
}

// claim turns the probabilities that a chain gives its calls into claims.
func (w *window) claim(c *chain) {
	from, to := c.pair, c.pair+len(c.calls)
	w.steps += len(c.edges) / 2
	c.sum(w.weights[from:to], w.probabilities[from:to])
	for p := from; p < to; p++ {
		sure := min(max(w.probabilities[p], surest), 1-surest)
		claim := sure / ((1 - sure) * w.weights[p])
		if w.sweeps > 0 {
			claim = math.Sqrt(claim * w.claims[p])
		}
		w.claims[p] = claim
	}
}

// belief is the probability that a pair is true.
func (w *window) belief(call *Call, pair int32) float64 {
	return w.claims[pair] / (w.claims[pair] + w.rest(call, pair))
}

// reset makes the window empty, for a number of requests and some calls.
func (w *window) reset(requests int, calls []*Call) {
	w.giveBack()
	for len(w.chains) < requests {
		w.chains = append(w.chains, chain{})
	}
	w.chains = w.chains[:requests]
	for i := range w.chains {
		w.chains[i].calls = w.chains[i].calls[:0]
	}
	w.calls = calls
}

// giveBack lets go of the chains where their room is far more than the last window needed: each
// has that of the largest request that was ever in its place.
func (w *window) giveBack() {
	const worthwhile, spare = 1 << 14, 4 // edges, and times what was needed
	room, needed := 0, 0
	for i := range w.chains {
		needed += len(w.chains[i].edges)
	}
	for _, c := range w.chains[:cap(w.chains)] {
		room += cap(c.edges)
	}
	if room > worthwhile && room > spare*needed {
		w.chains = nil
	}
}

// number gives every pair of a request and a call its number.
func (w *window) number() {
	for len(w.pairs) < len(w.calls) {
		w.pairs = append(w.pairs, nil)
	}
	for i, c := range w.calls {
		c.index = int32(i)
		w.pairs[i] = w.pairs[i][:0]
	}
	w.owner = w.owner[:0]
	for i := range w.chains {
		c := &w.chains[i]
		c.pair = len(w.owner)
		for _, call := range c.calls {
			w.pairs[call.index] = append(w.pairs[call.index], int32(len(w.owner)))
			w.owner = append(w.owner, int32(i))
		}
	}
	w.claims = slices.Grow(w.claims[:0], len(w.owner))[:len(w.owner)]
	w.weights = slices.Grow(w.weights[:0], len(w.owner))[:len(w.owner)]
	w.probabilities = slices.Grow(w.probabilities[:0], len(w.owner))[:len(w.owner)]
}

// release lets go of requests and calls.
func (w *window) release() {
	for i := range w.chains {
		w.chains[i].request = nil
		clear(w.chains[i].calls)
	}
	w.calls = nil
}

// nobodys is the probability that no request caused a call.
func (w *window) nobodys(c *Call) float64 {
	return w.model.alone(c.callee) / w.rest(c, -1)
}

// decide finds the likeliest parent of a call.
func (w *window) decide(c *Call) Decision {
	d := Decision{Call: c}
	alone := 1.0
	for _, p := range w.pairs[c.index] {
		r, b := w.chains[w.owner[p]].request, w.belief(c, p)
		alone -= b
		if b > d.Confidence {
			d.RunnerUp, d.RunnerUpConfidence = d.Parent, d.Confidence
			d.Parent, d.Confidence = r, b
		} else if b > d.RunnerUpConfidence {
			d.RunnerUp, d.RunnerUpConfidence = r, b
		}
	}
	if alone > d.Confidence {
		d.Parent, d.Confidence, d.RunnerUp, d.RunnerUpConfidence = nil, 0, d.Parent, d.Confidence
	}
	w.model.strays[c.callee] += max(alone, 0)
	return d
}
