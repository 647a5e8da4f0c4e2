package causality

import "slices"

const (
	// maxHeld bounds the results that one task holds.
	maxHeld = 64
	// maxPassed is how many wake-ups a result goes on by from one task.
	maxPassed = 4
	// maxHops is by how many wake-ups a result goes on at all: where many tasks wake each other, as
	// goroutines do that share connections, all of them would hold all results otherwise.
	maxHops = 4
)

// result is the answer to a call in the hands of a task.
type result struct {
	call *call
	// from is who brought it, nil for who has read it.
	from *worker
	// late is how many other wake-ups came before those by which it came here, each time after it had come to who
	// woke, or were for results that came later.
	late uint16
	// hops is the number of wake-ups by which it came here, passed how often it went on from here.
	hops, passed uint8
	// via is the futex of the wake-ups by which it came of which the least was known then, nil where there is none.
	via *futex
	// older says that the task which read it had read another one when it woke somebody.
	older bool
	// manner is how it was handed over.
	manner manner
}

// pass hands on what the task holds to another one that it wakes, and reports whether something of it was not
// passed on before. by is the futex of the wake-up. Who brought a result does not get it back: to wake that one is another matter.
func (w *worker) pass(to *worker, by *futex, j *jobs) (copies []result, fresh bool) {
	w.finish(j)
	newer := uint16(0)
	for i := range slices.Backward(w.results) {
		r := &w.results[i]
		if r.from == to {
			continue
		}
		if r.passed < maxPassed && r.hops < maxHops {
			copies = append(copies, result{call: r.call, from: w, hops: r.hops + 1, late: r.late + uint16(r.passed) + newer, older: r.older, via: r.via.orNewer(by), manner: r.handedOver(by == nil)})
		}
		if r.passed == 0 {
			newer++
		}
		r.passed = min(r.passed, maxPassed) + 1
	}
	slices.Reverse(copies)
	return copies, newer > 0
}

// finish tells what the results are that the task has read and not passed on.
func (w *worker) finish(j *jobs) {
	var last *result
	alone := true
	for i := range w.results {
		r := &w.results[i]
		if r.passed > 0 || r.hops > 0 {
			continue
		}
		if last != nil {
			last.older, alone = true, false
			j.habit(last.call).older++
		}
		last = r
	}
	if last != nil && alone {
		j.habit(last.call).alone++
	}
}

// unpassed reports whether the task holds a result that it has not passed on.
func (w *worker) unpassed() bool {
	return slices.ContainsFunc(w.results, func(r result) bool { return r.passed == 0 })
}

// receive takes results. With a new one a task has done with what it passed on; but what it
// read itself may be for who it has not woken yet.
func (w *worker) receive(results []result) {
	own, brought := false, false
	for _, r := range results {
		fresh := w.held(r.call) < 0
		own, brought = own || fresh && r.hops == 0, brought || fresh && r.hops > 0
	}
	w.results = slices.DeleteFunc(w.results, func(r result) bool {
		return r.call.decided || r.passed > 0 && (own || brought && r.hops > 0)
	})
	for _, r := range results {
		if i := w.held(r.call); i >= 0 {
			w.results[i].again(r)
			continue
		}
		if len(w.results) >= maxHeld && !w.dropFarther(r) {
			continue
		}
		w.results = append(w.results, r)
	}
}

// dropFarther makes room for a result, unless it came the longest way of all.
func (w *worker) dropFarther(than result) bool {
	farthest := 0
	for i := range w.results {
		if w.results[i].hops > w.results[farthest].hops {
			farthest = i
		}
	}
	if w.results[farthest].hops <= than.hops {
		return false
	}
	w.results = slices.Delete(w.results, farthest, farthest+1)
	return true
}

// again takes a result that the task has: it is to be passed on anew, but for one that others
// bring back to who read it.
func (r *result) again(o result) {
	if r.hops > 0 || o.hops == 0 {
		r.passed = 0
	}
	if o.hops < r.hops || o.hops == r.hops && o.late < r.late {
		if r.from != o.from {
			r.manner = o.manner // else it was started with it, and woken again
		}
		r.hops, r.late, r.from, r.via = o.hops, o.late, o.from, o.via
	}
}

func (w *worker) held(c *call) int {
	return slices.IndexFunc(w.results, func(r result) bool { return r.call == c })
}
