package causality

// learn makes the habits from what was decoded before and what is in the window.
func (d *decoder) learn(l *loop) {
	d.habits.reset()
	d.habits.add(&l.habits)
	d.habits.expected, d.habits.orphan = l.habits.expected, l.habits.orphan
	for _, x := range l.deeds {
		l.classify(x)
		x.waited = x.waited && x.busy >= l.pools[x.pool].limit() // more may have been seen since
		x.teach(&d.habits)
	}
	d.habits.inherit(l)
	d.habits.mayWait(l)
	fresh := l.habits.size() < young // then tokens tell most by leading to nothing
	for _, t := range l.tokens {
		if t.acted > 0.5 || (t.decoded || fresh) && l.turn-t.turn > 3 && !l.mayWait[t.kind] && !l.unexplained {
			k := d.habits.kind(t.kind)
			k.tokens++
			k.awaits(l, t)
		}
	}
}

// teach adds what is believed of the deed to h.
func (x *deed) teach(h *habits) {
	for _, s := range x.sources {
		k := h.kind(s.token.kind)
		a := k.class(x.class)
		a.total += s.share
		if !x.waited {
			a.prompt += s.share
		}
		a.lag[lagBin(x.turn-s.token.turn)] += s.first
		k.blocks[0] += s.first
		for n, share := range s.again {
			k.blocks[min(n, maxBlock-1)+1] += share
		}
		if x.turn == s.token.turn {
			h.distance[distanceBin(int(x.reads-s.token.read))] += s.first
		}
	}
}
