package statistical

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// world is a made-up process that knows what caused each call.
type world struct {
	rand   *rand.Rand
	events []event
}

// event is a thing that happens to a request or a call.
type event struct {
	at   int64
	what func(*run)
}

// run tells a world's events to a process, and keeps its decisions.
type run struct {
	process   *Process
	requests  map[int]*Request
	calls     map[int]*Call
	truth     map[*Call]int
	decisions []Decision
}

func newWorld(seed uint64) *world {
	return &world{rand: rand.New(rand.NewPCG(seed, 1))}
}

// delay draws from a log-normal distribution around a median.
func (w *world) delay(median time.Duration) int64 {
	return int64(float64(median) * math.Exp(w.rand.NormFloat64()*0.5))
}

func (w *world) at(t int64, what func(*run)) { w.events = append(w.events, event{t, what}) }

// request adds one that is open for a time.
func (w *world) request(id int, endpoint string, start, end int64) {
	w.at(start, func(r *run) { r.requests[id] = r.process.Opened(endpoint, start); r.requests[id].Owner = id })
	w.at(end, func(r *run) { r.process.Closed(r.requests[id], end) })
}

// call adds one that a request caused, or none where it is below 0. Some are told exactly.
func (w *world) call(request int, callee string, start, end int64, exact bool) {
	id := len(w.events)
	w.at(start, func(r *run) {
		c := r.process.Call(callee, start)
		r.calls[id], r.truth[c] = c, request
		if exact {
			r.process.Exact(c, r.requests[request])
		}
	})
	w.at(end, func(r *run) { r.process.Ended(r.calls[id], end) })
}

// play lets the world happen, with a tick every 10 ms.
func (w *world) play(o Options) *run {
	slices.SortStableFunc(w.events, func(a, b event) int { return cmp.Compare(a.at, b.at) })
	r := &run{
		process:  NewProcess(NewModel(), o),
		requests: map[int]*Request{}, calls: map[int]*Call{}, truth: map[*Call]int{},
	}
	next := int64(0)
	for _, e := range w.events {
		for ; next <= e.at; next += int64(10 * time.Millisecond) {
			r.decisions = append(r.decisions, r.process.Decide(next)...)
		}
		e.what(r)
	}
	return r
}

// right is the share of calls whose parent is the true one, of those that were not told.
func (r *run) right() float64 {
	right := 0
	for _, d := range r.decisions {
		if r.isRight(d) {
			right++
		}
	}
	return float64(right) / float64(len(r.decisions))
}

func (r *run) isRight(d Decision) bool {
	want := r.truth[d.Call]
	if d.Parent == nil {
		return want < 0
	}
	return d.Parent.Owner == want
}

// atLeast fails where fewer than a share of the decisions are right, or confidence
// is further from the truth than 0.03.
func (r *run) atLeast(t *testing.T, calls int, share float64) {
	t.Helper()
	r.decisions = append(r.decisions, r.process.Flush()...)
	if len(r.decisions) != calls {
		t.Errorf("%d decisions of %d calls", len(r.decisions), calls)
	}
	if got := r.right(); got < share {
		t.Errorf("right: %.4f, want at least %.4f", got, share)
	}
	confidence, right, n := 0.0, 0.0, 0.0
	for _, d := range r.decisions {
		if d.Parent == nil {
			continue
		}
		confidence += d.Confidence
		if n++; r.isRight(d) {
			right++
		}
	}
	if math.Abs(confidence-right)/n > 0.03 {
		t.Errorf("confidence %.3f on average, right %.3f", confidence/n, right/n)
	}
}

const (
	us = time.Microsecond
	ms = time.Millisecond
)

// chain adds requests that make three calls in a row, at a mean interval.
func (w *world) chain(requests int, interval time.Duration, exact func(int) bool) (calls int) {
	start := int64(time.Second)
	for id := range requests {
		start += int64(w.rand.ExpFloat64() * float64(interval))
		at := start
		for _, callee := range []string{"auth", "search", "profile"} {
			begin := at + w.delay(200*us)
			at = begin + w.delay(5*ms)
			if told := exact != nil && exact(id); !told {
				calls++
				w.call(id, callee, begin, at, false)
			} else {
				w.call(id, callee, begin, at, true)
			}
		}
		w.request(id, "GET /", start, at+w.delay(100*us))
	}
	return calls
}
