package causality

// A timer that fires behind the answer to its own last call seems to go on with that: the answer led to a call. So what tells that
// nothing was done with an answer is the end of the sequence, in which each call follows at once on the answer to the one before. A request's ends
// with its response.

// last is the last call of the sequence that an act begins, of those of which it is not decided yet whose they are.
func (a *act) last() *act {
	for next := a.next(); next != nil; next = a.next() {
		a = next
	}
	return a
}

// next is the next call of the sequence, nil where there is none.
func (a *act) next() *act {
	if a.call == nil || a.call.answer == nil {
		return nil
	}
	s := a.call.answer
	if s.mixed || s.act == nil || s.act.call == nil || s.act.decided || s.act.waitedForPool() {
		return nil
	}
	return s.act
}

// waitedForPool reports whether the act may have waited for the connection that the answer before it gave back: then nothing tells that it
// goes on with that.
func (a *act) waitedForPool() bool { return a.deed != nil && a.deed.held }

// answered reports whether the whole answer was read.
func (a *act) answered() bool { return a.response != nil && a.response.complete }

// goesOn reports whether the sequence that an act begins has not ended yet.
func (a *act) goesOn() bool {
	last := a.last()
	return last != a && !last.answered()
}

// over reports whether it has, and what followed was seen.
func (a *act) over() bool {
	last := a.last()
	return last == a || last.answered() && last.followed()
}

// unfinished reports whether that is still to come, and will tell whose the act is. All that may have caused it was perhaps answered before. It is
// concluded without that once it was waited for.
func (a *act) unfinished() bool {
	return a.deed != nil && a.thread != nil && a.final() && a.extra() && !a.over()
}
