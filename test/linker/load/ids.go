package load

// slots is how many ids each trace has; more than its spans.
const slots = 64

// SpanNumber makes the span id of span i of trace n. Ids look random, and SpanOf
// finds the way back.
func SpanNumber(n uint64, i int) uint64 { return mix(n*slots + uint64(i) + 1) }

// SpanOf returns the trace and the span in it to which an id belongs.
func SpanOf(id uint64) (n uint64, i int) {
	x := unmix(id) - 1
	return x / slots, int(x % slots)
}

// mix is the finaliser of splitmix64, a bijection.
func mix(z uint64) uint64 {
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

func unmix(z uint64) uint64 {
	z = (z ^ (z >> 31) ^ (z >> 62)) * 0x319642b2d24d8ec3
	z = (z ^ (z >> 27) ^ (z >> 54)) * 0x96de1b173f119089
	return z ^ (z >> 30) ^ (z >> 60)
}
