package causality

// ways counts by which way the results of a kind of calls come to their requests: over how many wake-ups, and whether
// others came before. A program hands its results over in the same way again and again, so a claim
// by another way than the usual ones is rather one by chance, which may come by any.
type ways struct {
	total float64
	count [maxHops + 1][2]way
}

// way is how many results came by it, and in which manner.
type way struct {
	count   float64
	customs customs
}

const (
	// anyWay is the share of wrong claims that come by any way; the others come by the usual ones.
	anyWay = 0.5
	// seenBefore is as how often seen before each way counts.
	seenBefore = 2
	// maxWays bounds the memory of the ways.
	maxWays = 1024
)

func (w *ways) at(c *claimed) *way {
	late := 0
	if c.late > 0 {
		late = 1
	}
	return &w.count[min(c.hops, maxHops)][late]
}

// learn takes the call that is r's, however sure that is: what is unusual at first may become usual.
func (w *ways) learn(c *call, r *request) {
	for i := range c.claims {
		if c.claims[i].request == r {
			w.add(&c.claims[i])
			return
		}
	}
}

func (w *ways) add(c *claimed) {
	if w.total >= maxWays {
		w.total /= 2
		for i := range w.count {
			w.count[i][0].count, w.count[i][1].count = w.count[i][0].count/2, w.count[i][1].count/2
		}
	}
	w.total++
	at := w.at(c)
	at.count++
	at.customs.add(c.manner)
}

// confirm returns the confidence in a claim, given by which way it came.
func (w *ways) confirm(c *claimed, confidence float64) float64 {
	const all = 2 * (maxHops + 1)
	usual := (w.at(c).count + seenBefore) / (w.total + seenBefore*all)
	right, wrong := confidence*usual, (1-confidence)*((1-anyWay)*usual+anyWay/all)
	return min(handoffMost, right/(right+wrong))
}
