package causality

import "slices"

// confirm returns the confidence in a claim, given where the request's other calls are among the acts. A claim
// that is right has them at the usual distance; of one that is wrong they are anywhere.
func (o *jobOrder) confirm(c *call, r *request, confidence float64) float64 {
	const anywhere = 1.0 / span
	likely := -1.0
	for _, other := range r.others(c) {
		if d := o.distance(other, c); d.all.total >= enoughPairs {
			likely = max(likely, d.share(o.apart(other, c), other.placedBy, c.placedBy))
		}
		if other.decided {
			o.learn(other, c)
		}
	}
	if likely < 0 {
		return confidence
	}
	right, wrong := confidence*likely, (1-confidence)*anywhere
	return min(handoffMost, right/(right+wrong))
}

// others returns the calls of other kinds that are the request's, or that it alone claims.
func (r *request) others(c *call) (calls []*call) {
	for _, o := range slices.Concat(r.handed, r.claims) {
		if o != c && o.lostAt == 0 && o.endpoint(false) != c.endpoint(false) && (len(o.claims) <= 1 || o.parent == r) && !slices.Contains(calls, o) {
			calls = append(calls, o)
		}
	}
	return calls
}
