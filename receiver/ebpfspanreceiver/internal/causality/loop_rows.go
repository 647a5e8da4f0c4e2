package causality

// compare counts whether two deeds of a turn were done in the order of the tokens that they
// rest on.
func (l *loop) compare(a, b *deed) {
	if a.turn != b.turn || a.pool == b.pool {
		return
	}
	if s, t := a.source(), b.source(); s != nil && t != nil && s != t {
		l.overtakes.add(t.number < s.number)
	}
}

// order decides whether the deeds of a turn are in one row, or in one for each peer.
func (l *loop) order() {
	const some, few, enough = 0.003, 0.02, 200
	switch {
	case !l.apiece && (l.shared || l.forks || l.late.total >= enough && l.late.right > some*l.late.total):
		l.apiece, l.overtakes = true, agreement{}
		l.habits.forgetBlocks()
		l.habits.separate()
		for _, x := range l.deeds {
			x.separate()
		}
	case l.apiece && !l.shared && !l.forks && l.overtakes.total >= enough && l.overtakes.right < few*l.overtakes.total:
		l.apiece, l.late = false, agreement{}
		l.habits.forgetBlocks()
	}
}

// separate makes what was one more deed on a token the first one for its peer.
func (x *deed) separate() {
	claim(x, -1)
	for i := range x.sources {
		s := &x.sources[i]
		s.first, s.again = s.share, [maxBlock]float64{}
	}
	claim(x, 1)
}
