package causality

// answeredConfidence is that in a call whose answer led to the response of the only request that was open.
const answeredConfidence = 0.98

// turnsTell reports whether the turn in which an act comes may tell whose it is.
func (t *thread) turnsTell(a *act) bool {
	return a.origin.Task.Waits > 0 && !t.reacts.late()
}

// decideByTurn settles an act that follows at once on what was read for the only open request. Any
// other one waits for its answer.
func (t *thread) decideByTurn(a *act, r *request, streaming bool) {
	if !a.atOnceFor(r) {
		a.putOff(t, streaming)
		a.sole = r
		t.order.acts(a)
		t.loop.acts(a, 1, t.step)
		return
	}
	a.suspect = false
	a.doubt = t.reacts.doubt(a, &t.process.aftermath)
	if a.doubt > doubtful {
		a.alone()
		return
	}
	t.acts(a, r)
	a.settle(r, MethodThread, (1-a.doubt)*threadConfidence)
}

// doubt is how probable it is that a call which follows at once on something would have come without: as
// many come in this time while nothing is open, where what was read leads to none.
func (x *reactions) doubt(a *act, m *aftermath) float64 {
	h := m.kinds[m.kindOf(a)]
	if h == nil || m.time[idle] == 0 {
		return 0
	}
	share := x.habit(a.stimulus).calls.share()
	return min(1, h.count[idle]/m.time[idle]*float64(a.origin.Time-a.stimulus.at)*(1-share)/share)
}

// comesAlone reports whether the act is nobody's because nothing that was read led to it, its
// answer led to nothing, and calls of its kind come alone.
func (a *act) comesAlone() bool {
	if !a.leadsNowhere() || a.thread.reacts.young() || !a.alike() {
		return false
	}
	return a.unprompted() || a.nth > 0 && !a.stimulus.mixed && a.thread.reacts.habit(a.stimulus).several.share() < doubtful
}

// leadsNowhere reports whether the loop acts at once, and did nothing with the call's answer, or with that to the last call of its sequence.
func (a *act) leadsNowhere() bool {
	if a.origin.Task.Waits == 0 || a.thread.reacts.late() {
		return false
	}
	if a.goesOn() {
		return false
	}
	_, nothing, known := a.last().led()
	return known && nothing
}

// atOnceFor reports whether the act is the first on something that was read for r.
func (a *act) atOnceFor(r *request) bool {
	s := a.stimulus
	return s != nil && a.nth == 0 && !s.mixed && (s.request == r || s.call != nil && s.call.decided && s.call.parent == r)
}

// unprompted reports whether the act is due to nothing that was read for a request, as far as is known: to the answer to a call that is nobody's,
// more probably than not.
func (a *act) unprompted() bool {
	s := a.stimulus
	return s == nil || a.nth == 0 && !s.mixed && s.call != nil && s.call.decided && (s.call.parent == nil || s.call.confidence < doubtful)
}

// followsNobodys reports whether the act is due to the answer to a call that is nobody's. If calls like that come alone, it is
// nobody's unless it led to something of the request: to this act, of which nothing else tells that it is the request's.
func (a *act) followsNobodys() bool {
	s := a.stimulus
	if s == nil || a.nth > 0 || s.mixed || s.call == nil {
		return false
	}
	c := s.call
	if !c.decided && c.sole == a.sole && c.thread != nil && c.alike() && c.unprompted() {
		c.alone()
	}
	return c.nobodys
}

// led is what the answer to a call led to: the request that was answered by it or surely went on with another
// call, nothing, or it is not known yet.
func (a *act) led() (to *request, nothing, known bool) {
	c := a.call
	if c == nil || c.answer == nil {
		return nil, true, true // it was given up, or others read its answer
	}
	switch s := c.answer; {
	case s.response != nil:
		return s.response, false, true
	case s.act == nil:
		return nil, true, true
	case s.act.decided && s.act.confidence <= reliable:
		return nil, true, true
	case s.act.decided:
		return s.act.parent, false, true
	}
	return nil, false, false
}

// alike reports whether calls of this kind were made while nothing was open, for nothing that was read.
func (a *act) alike() bool {
	m := &a.thread.process.aftermath
	h := m.kinds[m.kindOf(a)]
	return h != nil && h.unprompted >= 1
}

// concludeSole settles an act while one request only was open by what the answer led to. over says that
// nothing more is to come.
func (a *act) concludeSole(waited, over bool) {
	x := &a.thread.reacts
	if !waited && (x.young() || x.last != nil && x.last.deeds == 0 && a.call != nil && a.call.answer == x.last) {
		return // the turn may not be over
	}
	if x.late() || x.young() {
		a.byAges()
		return
	}
	to, _, known := a.led()
	switch {
	case !known && !over:
	case to == a.sole:
		if a.stimulus == nil {
			x.later.add(true)
		}
		a.belongs(to, answeredConfidence)
	case a.alike() && a.unprompted():
		a.alone()
	case a.alike():
		a.byHabit()
	case !waited && !over:
		// Calls of its kind may come alone.
	case a.followsNobodys():
		a.alone()
	case a.unexplained():
		a.belongs(a.sole, unconfirmed)
	default:
		a.byAges()
	}
}

// unexplained reports whether nothing tells that an act is the only open request's: nothing led to it in a loop that has several open
// at times, or it comes after what leads to acts as a rule, in a process of which more calls come alone than are late.
func (a *act) unexplained() bool {
	return a.unprompted() && a.thread.several || a.beyond() && a.thread.reacts.later.share() < doubtful
}

// byHabit settles an act in a turn in which something was read, by whether that usually leads to
// several, where it is not the first.
func (a *act) byHabit() {
	share := a.thread.reacts.habit(a.stimulus).several.share()
	if share < doubtful || a.nth == 0 && !a.stimulus.mixed {
		a.alone()
		return
	}
	a.belongs(a.sole, share)
}

// byAges settles an act of the only request by when such calls come.
func (a *act) byAges() {
	if a.doubt > doubtful {
		a.alone()
		return
	}
	a.belongs(a.sole, (1-a.doubt)*threadConfidence)
}

// belongs settles an act that is r's, for the loop as well.
func (a *act) belongs(r *request, confidence float64) {
	a.thread = nil
	a.settle(r, MethodThread, confidence)
}
