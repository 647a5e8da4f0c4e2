package causality

// states are the numbers of acts on one token that are told apart, from 1 on. The
// state before all tokens has only the first.
const states = maxBlock

// leave is the probability that no more acts follow on candidate p-1 after count.
func (d *decoder) leave(p, count int) float64 {
	if p == 0 {
		return 1
	}
	return 1 - d.candidates[p-1].more[count]
}

// forth fills alpha: alpha[row] at p and count is the probability of the deeds before
// row, with candidate p-1 acted on last, so many times.
func (d *decoder) forth(m, n int) {
	d.alpha[0][0] = 1
	for row := range m {
		before, after := d.alpha[row], d.alpha[row+1]
		reach, lates, sum := 0.0, 0.0, 0.0
		for p := range n + 1 {
			at := before[p*states : (p+1)*states]
			to := after[p*states : (p+1)*states]
			left := 0.0
			unmoved := d.orphan[row] + late*lates
			for i, a := range at {
				if a == 0 {
					continue
				}
				to[i] += a * unmoved
				left += a * d.leave(p, i+1)
				if p > 0 {
					to[min(i+1, states-1)] += a * d.candidates[p-1].more[i+1] * d.again[row][p-1]
				}
			}
			if p > 0 {
				e := d.emit[row][p-1]
				to[0] += reach * e
				reach *= d.candidates[p-1].skip
				lates += e * d.candidates[p-1].skip
			}
			reach += left
			for _, a := range to {
				sum += a
			}
		}
		if sum <= 0 {
			copy(after, before)
			continue
		}
		for i := range after {
			after[i] /= sum
		}
	}
}

// backward fills beta: beta[row] at p and count is the probability of the deeds from
// row on, and of no more in this turn, after candidate p-1 was acted on last, so
// many times. A turn that goes on may have more.
func (d *decoder) backward(m, n int, goesOn bool) {
	rest := 1.0
	for p := n; p >= 0; p-- {
		for i := range states {
			d.beta[m][p*states+i] = rest * d.leave(p, i+1)
		}
		if p > 0 && !goesOn {
			rest *= d.candidates[p-1].skip
		}
	}
	for row := m - 1; row >= 0; row-- {
		before, after := d.beta[row], d.beta[row+1]
		lates := 0.0
		for p := range n {
			lates += d.emit[row][p] * d.candidates[p].skip
		}
		ahead, sum := 0.0, 0.0
		for p := n; p >= 0; p-- {
			if p > 0 {
				lates -= d.emit[row][p-1] * d.candidates[p-1].skip
			}
			unmoved := d.orphan[row] + late*max(lates, 0)
			for i := range states {
				b := ahead*d.leave(p, i+1) + after[p*states+i]*unmoved
				if p > 0 {
					b += d.candidates[p-1].more[i+1] * d.again[row][p-1] * after[p*states+min(i+1, states-1)]
				}
				before[p*states+i] = b
				sum += b
			}
			if p > 0 {
				ahead = ahead*d.candidates[p-1].skip + d.emit[row][p-1]*after[p*states]
			}
		}
		if sum <= 0 {
			copy(before, after)
			continue
		}
		for i := range before {
			before[i] /= sum
		}
	}
}

// sources fills the deed's sources, and share with the weights of the candidates. It
// returns the share of no source, and 0 where nothing is possible.
func (d *decoder) sources(x *deed, row int) (none, z float64) {
	alpha, beta := d.alpha[row], d.beta[row+1]
	n := len(d.candidates)
	if cap(d.share) < n {
		d.share = make([]float64, n, 2*n)
	}
	d.share, d.found = d.share[:n], d.found[:0]
	x.sources = x.sources[:0]
	behind, sum, lates := 0.0, 0.0, 0.0
	for p := n; p >= 1; p-- {
		d.share[p-1] = late * d.emit[row][p-1] * d.candidates[p-1].skip * behind
		lates += d.share[p-1]
		for i := range states {
			behind += alpha[p*states+i] * beta[p*states+i]
		}
	}
	reach := 0.0
	for p := range n + 1 {
		if p > 0 {
			c := &d.candidates[p-1]
			s := source{token: c.token, first: d.share[p-1] + reach*d.emit[row][p-1]*beta[p*states]}
			s.share = s.first
			for i := range states {
				s.again[i] = alpha[p*states+i] * c.more[i+1] * d.again[row][p-1] * beta[p*states+min(i+1, states-1)]
				s.share += s.again[i]
			}
			d.share[p-1] = s.share
			sum += s.share
			reach *= c.skip
			if s.share > 0 {
				d.found = append(d.found, s)
			}
		}
		for i := range states {
			a := alpha[p*states+i]
			none += a * beta[p*states+i] * d.orphan[row]
			reach += a * d.leave(p, i+1)
		}
	}
	z = sum + none
	if z <= 0 {
		return 0, 0
	}
	kept := d.found[:0]
	for _, s := range d.found {
		if s.share < 1e-4*z {
			continue
		}
		s.share, s.first = s.share/z, s.first/z
		for i := range s.again {
			s.again[i] /= z
		}
		kept = append(kept, s)
	}
	x.sources = append(x.sources, kept...)
	for p := range d.share {
		d.share[p] /= z
	}
	d.late = lates / z
	return none / z, z
}
