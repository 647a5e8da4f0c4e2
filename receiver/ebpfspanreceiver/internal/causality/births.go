package causality

import "math/bits"

const (
	// idBatch is how many ids each of the runtime's processors takes at a time (_GoidCacheBatch in runtime/proc.go).
	idBatch = 16
	// idBins is how many distances of ids are told apart: the n-th is from 2^n - 1 on.
	idBins = 20
)

// births tells from a goroutine's id when it was started. Ids are given in the order of starting, but for those
// that a processor has taken and not given yet, and a processor that had nothing to do may have kept them for long. So a
// request that was answered when the newest id was about the goroutine's started it, rather than one that was
// answered, or read, long before or after, in ids. How far ids are from the newest one that was seen is learned.
type births struct {
	// newest is the greatest id that was seen.
	newest uint64
	// above and below count how far ids were above the newest one, which may not have been seen yet, or below.
	above, below idDistances
	count        float64
}

// idDistances are counts by distance.
type idDistances [idBins]float64

func idBin(distance uint64) int { return min(bits.Len64(distance+1)-1, idBins-1) }

func (b *births) saw(id uint64) { b.newest = max(b.newest, id) }

// density is how many ids there are at a distance, for each id. What was not seen yet is the rarer the farther away it is.
func (d *idDistances) density(distance uint64) float64 {
	bin := idBin(distance)
	return (d[bin] + unseenIDs(bin)) / float64(uint64(1)<<bin)
}

// unseenIDs is how much a bin counts for without having been seen.
func unseenIDs(bin int) float64 {
	const near = 5 // what a processor keeps as a rule
	if bin < near {
		return 1
	}
	return 1 / float64(uint64(1)<<((bin-near)/2))
}

// at is how likely a goroutine has such an id that was started when another one was the newest.
func (b *births) at(id, newest uint64) float64 {
	if id > newest {
		return b.above.density(id-newest) / b.all()
	}
	return b.below.density(newest-id) / b.all()
}

// during is the same where it was started at any time since.
func (b *births) during(id, newest uint64) float64 {
	if id < newest {
		return b.at(id, newest)
	}
	return 1 / float64(max(b.newest, id)-newest+idBatch)
}

// all is how many distances were counted.
func (b *births) all() float64 {
	all := b.count
	for bin := range idBins {
		all += 2 * unseenIDs(bin)
	}
	return all
}

// since is how probable it is that a goroutine has such an id, or one that is farther below, that was started when another
// one was the newest or later.
func (b *births) since(id, newest uint64) float64 {
	if id >= newest {
		return 1
	}
	farther := 0.0
	for bin := idBin(newest - id); bin < idBins; bin++ {
		farther += b.below[bin] + unseenIDs(bin)
	}
	return farther / b.all()
}

// swapped is how probable it is that a goroutine was started after another one whose id is greater.
func (b *births) swapped(id, greater uint64) float64 {
	const never = 1e-6
	if (id-1)/idBatch == (greater-1)/idBatch {
		return never // by the same processor
	}
	return b.since(id, greater)
}

// learn takes a goroutine that was started when another one was the newest.
func (b *births) learn(id, newest uint64) {
	if id > newest {
		b.above[idBin(id-newest)]++
	} else {
		b.below[idBin(newest-id)]++
	}
	if b.count++; b.count < maxAlone {
		return
	}
	b.count /= 2
	for i := range idBins {
		b.above[i] /= 2
		b.below[i] /= 2
	}
}
