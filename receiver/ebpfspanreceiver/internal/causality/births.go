package causality

import "math"

const (
	// idSpread is how many ids a goroutine's one is away from the newest one as a rule, before that is known: each
	// of the runtime's processors takes 16 at a time.
	idSpread = 16.0
	// oddBelow and oddAbove are the shares of goroutines that are anywhere below or above the newest id. Above it is what
	// was started by then and not seen yet, which may be many; below it is only what a processor has kept.
	oddBelow, oddAbove = 1e-3, 0.02
)

// births tells from a goroutine's id when it was started. Ids are given in the order of starting, but for those
// that a processor has taken and not given yet. So a request that was answered when the newest id was about the
// goroutine's started it, rather than one that was answered, or read, long before or after, in ids.
type births struct {
	// newest is the greatest id that was seen.
	newest uint64
	// below and above tell how far ids were away from the newest one.
	below, above idDistance
}

// idDistance is the median of distances; 0 where none was seen. What lies far away says nothing of it: that may be another
// request's.
type idDistance float64

// over returns the distance as a multiple of the median.
func (d idDistance) over(ids uint64) float64 {
	if d == 0 {
		d = idSpread
	}
	return float64(ids) / float64(d)
}

// add takes a distance that is known with so much probability.
func (d *idDistance) add(ids, p float64) {
	const step, least = 0.1, 2
	if *d == 0 {
		*d = idSpread
	}
	if ids > float64(*d) {
		*d *= idDistance(1 + step*p)
	} else {
		*d = max(least, *d*idDistance(1-step*p))
	}
}

func (b *births) saw(id uint64) { b.newest = max(b.newest, id) }

// at is how likely a goroutine has such an id that was started when another one was the newest, but for a factor.
func (b *births) at(id, newest uint64) float64 {
	if id > newest {
		return oddAbove + math.Exp2(-b.above.over(id-newest))
	}
	return b.since(id, newest)
}

// since is the same where it was started then or later.
func (b *births) since(id, newest uint64) float64 {
	if id >= newest {
		return 1
	}
	// A processor has so many at most.
	over := b.below.over(newest - id)
	return oddBelow + math.Exp2(-over*over)
}

// learn takes a goroutine that was started when another one was the newest, with so much probability.
func (b *births) learn(id, newest uint64, p float64) {
	if id > newest {
		b.above.add(float64(id-newest), p)
		return
	}
	b.below.add(float64(newest-id), p)
}
