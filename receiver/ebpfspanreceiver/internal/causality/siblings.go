package causality

import (
	"math"
	"slices"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/causality/alignment"
)

const (
	// maxAnswered is how many answered requests of a goroutine are told apart, and maxSiblings how many of the
	// goroutines that it started. someAnswered is how many requests are remembered for longer than calls come after responses,
	// and fewAnswered how many where no call has yet.
	maxAnswered, maxSiblings, someAnswered, fewAnswered = 64, 64, 6, 2
	// leastReach is for how long answered requests are remembered at least, in nanoseconds.
	leastReach = int64(1e9)
	// independent is how much of what the goroutines of a row tell together counts, 1 being what independent ones would tell. Measured with
	// one request in flight, where requests follow each other as quickly as calls do after them: 93.5 % of the links are right, and
	// 94.7 % claimed.
	independent = 0.7
	// overtaken is how probable it is at least that a goroutine with a lower id was started after one with a greater one where
	// they are looked at in the order in which they called.
	overtaken = 0.1
)

// siblings are the goroutines that one which serves requests has started, and which call when these are answered.
// As it serves one request after the other, those that it started earlier are of earlier requests. So requests and
// goroutines are two rows, which are aligned.
type siblings struct {
	goroutines *goroutines
	aftermath  *aftermath
	// answered are the last requests that were answered, the latest last.
	answered []*request
	// started are the goroutines, in the order in which they were started as far as that is known.
	started []*sibling
	// aligned is the time at which the rows were aligned last.
	aligned int64
}

// sibling is a goroutine that called while nothing was open, or may be of an answered request.
type sibling struct {
	of *siblings
	id uint64
	// seen is when it was seen first, called when it called first, and kind what.
	seen, called int64
	kind         kind
	// given says that it is of the request that was open then.
	given bool
	// request is the answered one that it is likely of, with probability p, nil where there is none.
	request *request
	p       float64
	// single says that there was no other goroutine then whose request was not known.
	single bool
	// left says that a call of it was passed on, told that it was learned from.
	left, told bool
}

// offspring is what is learned of how many goroutines there are to a request, and how late they call.
type offspring struct {
	// barren are the requests without any, of all requests, several the further ones of all goroutines.
	barren, requests, several, all float64
	// delays counts how late they called, and reach is how late they hardly ever do.
	delays  ages
	delayed float64
	reach   int64
}

// closed takes a request that was answered.
func (s *siblings) closed(r *request) {
	s.answered = append(s.answered, r)
	for n := len(s.answered); n > fewAnswered && !s.remembers(n, r.exchange.End.Time-s.answered[0].exchange.End.Time); n-- {
		s.goroutines.offspring.counts(s.answered[0])
		s.answered = slices.Delete(s.answered, 0, 1)
	}
}

// remembers reports whether so many requests are remembered of which the first was answered so long ago.
func (s *siblings) remembers(n int, age int64) bool {
	return s.aftermath.alone > 0 && (n <= someAnswered || n <= maxAnswered && age < max(leastReach, s.goroutines.offspring.reach))
}

// latest returns the request that was answered last, nil where there was none.
func (s *siblings) latest() *request {
	if len(s.answered) == 0 {
		return nil
	}
	return s.answered[len(s.answered)-1]
}

// calls takes a goroutine that calls, and returns its place in the row; nil where no answered request can have started it.
func (s *siblings) calls(d *descent, a *act) *sibling {
	if i := slices.IndexFunc(s.started, func(o *sibling) bool { return o.id == d.child }); i >= 0 {
		return s.started[i]
	}
	n := &sibling{of: s, id: d.child, seen: d.born, called: a.origin.Time, kind: s.aftermath.kindOf(a)}
	if a.origin.Task.Thinned || !slices.ContainsFunc(s.answered, n.mayBeOf) {
		return nil
	}
	i := len(s.started)
	for i > 0 && n.id < s.started[i-1].id && s.goroutines.births.swapped(n.id, s.started[i-1].id) < overtaken {
		i--
	}
	s.started, s.aligned = slices.Insert(s.started, i, n), 0
	if len(s.started) > maxSiblings {
		s.started = slices.Delete(s.started, 0, 1)
	}
	return n
}

// mayBeOf reports whether r may have started the goroutine, and was answered before that called.
func (n *sibling) mayBeOf(r *request) bool {
	return r.read.Time <= n.seen && r.exchange.End.Time <= n.called && n.called-r.exchange.End.Time < afterFor
}

// likely is how likely the goroutine is of r by its delay, and by its id as well, but for a factor, where one with the id before was
// started before, or 0.
func (n *sibling) likely(r *request, before uint64) (byDelay, both float64) {
	if !n.mayBeOf(r) {
		return 0, 0
	}
	byDelay = n.of.aftermath.after(n.kind, n.called-r.exchange.End.Time)
	return byDelay, byDelay * n.of.goroutines.births.at(n.id, max(r.newest, before))
}

// born is how likely the goroutine was started when one of the answered requests was served, but for a factor.
func (n *sibling) born() float64 {
	all, both := 0.0, 0.0
	for _, r := range n.of.answered {
		d, b := n.likely(r, 0)
		all, both = all+d, both+b
	}
	if all == 0 {
		return 0
	}
	return both / all
}

// follows finds the request that the goroutine is of by what is known now.
func (n *sibling) follows(now int64) {
	n.given = false
	if !n.told && n.of.aligned != now && slices.Contains(n.of.started, n) {
		n.of.align(now)
	}
}

// leaves takes that a call of the goroutine was passed on.
func (n *sibling) leaves() {
	n.left = true
	n.of.tell()
}

// tell takes what is to be learned from goroutines of which it is settled whose they are. But for those of the latest request
// they are no longer needed, nor are their requests.
func (s *siblings) tell() {
	const clearly = 0.95
	last := -1
	for _, n := range s.started {
		if n.left && !n.told && n.p >= clearly {
			n.told = true
			n.request.offspring++
			s.goroutines.births.learn(n.id, n.request.newest)
			s.goroutines.offspring.late(n.called - n.request.exchange.End.Time)
			s.passes(n)
		}
		if n.told {
			last = max(last, slices.Index(s.answered, n.request))
		}
	}
	if last < 0 {
		return
	}
	latest := s.answered[last]
	s.started = slices.DeleteFunc(s.started, func(n *sibling) bool { return n.told && n.request != latest })
	kept := s.answered[:0]
	for i, r := range s.answered {
		if i < last && r.offspring > 0 {
			s.goroutines.offspring.counts(r)
			continue
		}
		kept = append(kept, r)
	}
	clear(s.answered[len(kept):])
	s.answered = kept
}

// passes takes that a goroutine was there when the requests after its own were answered, though it had not been seen by then.
func (s *siblings) passes(n *sibling) {
	if i := slices.Index(s.answered, n.request); i >= 0 {
		for _, r := range s.answered[i+1:] {
			r.newest = max(r.newest, n.id)
		}
	}
}

// counts takes a request that is forgotten.
func (o *offspring) counts(r *request) {
	o.requests++
	if n := float64(r.offspring); n == 0 {
		o.barren++
	} else {
		o.all, o.several = o.all+n, o.several+n-1
	}
	if o.requests > maxAlone {
		o.barren, o.requests, o.several, o.all = o.barren/2, o.requests/2, o.several/2, o.all/2
	}
}

// late takes a goroutine that called so long after the response.
func (o *offspring) late(delay int64) {
	const much, fading = 4, 1000
	o.reach = max(much*delay, o.reach-o.reach/fading)
	bin, _ := ageBin(min(max(delay, 0), horizon-1))
	o.delays[bin]++
	if o.delayed++; o.delayed > maxAlone {
		o.delays.halve()
		o.delayed /= 2
	}
}

// without is how probable it is that no goroutine of a request has called after so long: none may ever.
func (o *offspring) without(age int64) float64 {
	bin, _ := ageBin(min(max(age, 0), horizon-1))
	later := 1.0
	for _, n := range o.delays[bin:] {
		later += n
	}
	ever := (o.barren + 1) / (o.requests + 4)
	return ever + (1-ever)*later/(o.delayed+2)
}

// trust is how far all that is believed, which is the less the less was seen.
func (o *offspring) trust() float64 { return min(heirConfidence, (o.delayed+10)/(o.delayed+11)) }

// further is how probable it is that a request has one more.
func (o *offspring) further() float64 { return (o.several + 1) / (o.all + 4) }

// align says whose the goroutines are.
func (s *siblings) align(now int64) {
	s.aligned = now
	var row []*sibling
	var weights [][]float64
	for _, n := range s.started {
		if w, any := n.weights(0); any && !n.given {
			row, weights = append(row, n), append(weights, w)
		}
	}
	if len(row) == 0 {
		return
	}
	o := &s.goroutines.offspring
	skips := make([]float64, len(s.answered))
	for j, r := range s.answered {
		skips[j] = o.without(now - r.exchange.End.Time)
	}
	a := alignment.New(skips, o.further())
	for i, n := range row {
		later, swapped := weights[i], 1.0
		if i > 0 {
			later, _ = n.weights(row[i-1].id)
			if row[i-1].id < n.id {
				swapped = s.goroutines.births.swapped(row[i-1].id, n.id)
			}
		}
		a.Take(weights[i], later, swapped)
	}
	for i, p := range a.Owners() {
		n := row[i]
		n.request, n.p = nil, 0
		for j, r := range s.answered {
			if p[j] > n.p {
				n.request, n.p = r, p[j]
			}
		}
		n.single = len(row) == 1
	}
}

// sureness is how far it is believed that the goroutine is of its request. Where there were others it is less than it would be if
// goroutines were late independently of each other: what holds one up, as a busy processor or a connection that is
// opened, holds up those after it, too.
func (n *sibling) sureness() float64 {
	if n.single || n.p == 1 {
		return n.p
	}
	odds := math.Pow(n.p/(1-n.p), independent)
	return min(n.p, odds/(1+odds))
}

// weights is how likely the goroutine is of each request where one with the id before was started before, or 0, and whether it may
// be of any.
func (n *sibling) weights(before uint64) (w []float64, any bool) {
	const hardly = 1e-7
	w, most := make([]float64, len(n.of.answered)), 0.0
	for j, r := range n.of.answered {
		_, w[j] = n.likely(r, before)
		most = max(most, w[j])
	}
	for j := range w {
		if w[j] < hardly*most {
			w[j] = 0
		}
	}
	return w, most > 0
}
