package statistical

import "math"

const (
	// delayScale, in nanoseconds, is where the axis of delays turns from linear to
	// logarithmic: below it, clocks and schedulers blur differences.
	delayScale = 8_000
	// binsPerOctave and octaves give the axis' resolution and reach: 2^24 times
	// delayScale is 134 s.
	binsPerOctave = 4
	octaves       = 24
	bins          = binsPerOctave * octaves
)

// place is where a delay in nanoseconds lies on the axis, from 0 to bins-1, in
// such a way that whole numbers are the bins' centres.
func place(delay int64) float64 {
	if delay <= 0 {
		return 0
	}
	p := binsPerOctave*math.Log2(float64(delay)/delayScale+1) - 0.5
	return min(max(p, 0), bins-1)
}

// logWidth holds, for each bin, the logarithm of its width in microseconds.
var logWidth = func() (w [bins]float64) {
	edge := func(i int) float64 { return (math.Exp2(float64(i)/binsPerOctave) - 1) * delayScale / 1e3 }
	for i := range w {
		w[i] = math.Log(edge(i+1) - edge(i))
	}
	return w
}()

// histogram counts delays.
type histogram struct {
	count float64
	bins  [bins]float32
}

// add counts a delay that lies at p with a weight, which is below zero where a
// count is taken back. The two nearest bins share it.
func (h *histogram) add(p, weight float64) {
	h.count = max(h.count+weight, 0)
	i := int(p)
	part := p - float64(i)
	h.addBin(i, weight*(1-part))
	if part > 0 {
		h.addBin(i+1, weight*part)
	}
}

func (h *histogram) addBin(i int, weight float64) {
	h.bins[i] = max(h.bins[i]+float32(weight), 0)
}

// scale multiplies all counts.
func (h *histogram) scale(by float64) {
	h.count *= by
	for i := range h.bins {
		h.bins[i] *= float32(by)
	}
}

// smooth writes each bin's share of the counts, blurred over its neighbours, the
// more the fewer were counted.
func (h *histogram) smooth(into *[bins]float64) {
	total := 0.0
	for i, n := range h.bins {
		into[i] = float64(n)
		total += float64(n)
	}
	if total == 0 {
		*into = [bins]float64{}
		return
	}
	passes := 1
	for n := 1000.0; passes < 5 && h.count < n; n /= 4 {
		passes++
	}
	for range passes {
		blur(into)
	}
	for i := range into {
		into[i] /= total
	}
}

// blur averages each bin with its neighbours; what would leave at the ends stays.
func blur(a *[bins]float64) {
	before := a[0]
	for i := range a {
		after := a[i]
		if i+1 < bins {
			after = a[i+1]
		}
		here := a[i]
		a[i] = (before + 2*here + after) / 4
		before = here
	}
}

// table holds, for each bin, the logarithm of the probability that an act is of
// one kind and comes after a delay there, per microsecond.
type table [bins]float32

// at is the table's value at a place on the axis.
func (t *table) at(p float64) float64 {
	i := int(p)
	here := float64(t[i])
	if i+1 == bins {
		return here
	}
	return here + (float64(t[i+1])-here)*(p-float64(i))
}
