package causality

import "math/bits"

const (
	// ageUnit is the width of the first bins as a power of two, in nanoseconds: 2 µs.
	ageUnit = 11
	// octave is how many bins there are to each doubling of the age.
	octave = 4
	// ageBins is how many ages are told apart.
	ageBins = 21 * octave
	// horizon is the first age that is in no bin, in nanoseconds: 8.6 s.
	horizon = int64(1) << (ageUnit + 22)
)

// ages is something counted by its age: the time since a task answered a request last.
// The bins are as wide as a part of the age, so that a hundred of them reach far.
type ages [ageBins]float64

// ageBin returns the bin of an age below the horizon, and the age at which it ends.
func ageBin(age int64) (bin int, end int64) {
	units := uint64(max(age, 0)) >> ageUnit
	shift := max(bits.Len64(units)-bits.Len64(octave), 0)
	units >>= shift
	return shift*octave + int(units), int64(units+1) << (shift + ageUnit)
}

// cover adds the time between two ages to the bins that it lies in.
func (a *ages) cover(from, to int64) {
	from, to = max(from, 0), min(to, horizon)
	for from < to {
		bin, end := ageBin(from)
		end = min(end, to)
		a[bin] += float64(end - from)
		from = end
	}
}

// about sums the bins around one.
func (a *ages) about(bin int) (sum float64) {
	for _, n := range a[max(bin-octave/2, 0):min(bin+octave/2+1, ageBins)] {
		sum += n
	}
	return sum
}

func (a *ages) halve() {
	for i := range a {
		a[i] /= 2
	}
}
