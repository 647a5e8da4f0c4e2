package statistical

import (
	"testing"
	"time"
)

func TestChain(t *testing.T) {
	w := newWorld(1)
	calls := w.chain(1000, 4*ms, nil) // about 4 open
	w.play(Options{}).atLeast(t, calls, 0.985)
}

func TestChainCrowded(t *testing.T) {
	w := newWorld(2)
	calls := w.chain(500, 1*ms, nil) // about 16 open
	w.play(Options{}).atLeast(t, calls, 0.90)
}

func TestParallelCallsWithJoin(t *testing.T) {
	w := newWorld(3)
	start, calls := int64(time.Second), 0
	for id := range 1000 {
		start += int64(w.rand.ExpFloat64() * float64(5*ms))
		fork := start + w.delay(200*us)
		join := fork
		for _, callee := range []string{"left", "right"} {
			begin := fork + w.delay(20*us)
			end := begin + w.delay(5*ms)
			w.call(id, callee, begin, end, false)
			join = max(join, end)
		}
		begin := join + w.delay(200*us)
		end := begin + w.delay(3*ms)
		w.call(id, "store", begin, end, false)
		w.request(id, "GET /", start, end+w.delay(100*us))
		calls += 3
	}
	w.play(Options{}).atLeast(t, calls, 0.97)
}

func TestManyCallsToOne(t *testing.T) {
	w := newWorld(4)
	start, calls := int64(time.Second), 0
	for id := range 600 {
		start += int64(w.rand.ExpFloat64() * float64(10*ms))
		at := start
		for range 6 {
			begin := at + w.delay(100*us)
			at = begin + w.delay(1*ms)
			w.call(id, "db", begin, at, false)
			calls++
		}
		w.request(id, "GET /list", start, at+w.delay(100*us))
	}
	w.play(Options{}).atLeast(t, calls, 0.96)
}

func TestEndpointsDiffer(t *testing.T) {
	w := newWorld(5)
	start, calls := int64(time.Second), 0
	for id := range 1000 {
		start += int64(w.rand.ExpFloat64() * float64(2*ms))
		endpoint, callee := "GET /a", "a"
		if id%2 == 0 {
			endpoint, callee = "GET /b", "b"
		}
		begin := start + w.delay(3*ms)
		end := begin + w.delay(3*ms)
		w.call(id, callee, begin, end, false)
		w.request(id, endpoint, start, end+w.delay(3*ms))
		calls++
	}
	r := w.play(Options{})
	r.decisions = append(r.decisions, r.process.Flush()...)
	for _, d := range r.decisions[len(r.decisions)/2:] {
		if d.Parent != nil && d.Parent.Owner.(int)%2 != r.truth[d.Call]%2 {
			t.Errorf("a call was given to the endpoint that never makes it")
		}
	}
	if len(r.decisions) != calls {
		t.Errorf("%d decisions of %d calls", len(r.decisions), calls)
	}
}

func TestOptionalCall(t *testing.T) {
	w := newWorld(6)
	start, calls := int64(time.Second), 0
	for id := range 1500 {
		start += int64(w.rand.ExpFloat64() * float64(4*ms))
		at := start
		if w.rand.Float64() < 0.3 { // the cache had nothing
			begin := at + w.delay(200*us)
			at = begin + w.delay(8*ms)
			w.call(id, "db", begin, at, false)
			calls++
		}
		begin := at + w.delay(200*us)
		at = begin + w.delay(2*ms)
		w.call(id, "audit", begin, at, false)
		calls++
		w.request(id, "GET /", start, at+w.delay(100*us))
	}
	w.play(Options{}).atLeast(t, calls, 0.97)
}

// Calls of timers happen while requests are open, but are not theirs. Some are where
// a request's call could be.
func TestCallsWithoutRequest(t *testing.T) {
	w := newWorld(7)
	calls := w.chain(1200, 5*ms, nil)
	for at := int64(time.Second); at < int64(6*time.Second); at += int64(50 * ms) {
		w.call(-1, "metrics", at, at+w.delay(2*ms), false)
		calls++
	}
	r := w.play(Options{})
	r.decisions = append(r.decisions, r.process.Flush()...)
	wrong, sure := 0, 0
	for _, d := range r.decisions {
		if r.truth[d.Call] < 0 && d.Parent != nil {
			wrong++
			if d.Confidence >= 0.9 {
				sure++
			}
		}
	}
	if len(r.decisions) != calls {
		t.Errorf("%d decisions of %d calls", len(r.decisions), calls)
	}
	if wrong > 15 || sure > 5 {
		t.Errorf("of 100 calls without a request %d were given to one, %d of them surely", wrong, sure)
	}
}

func TestWhatIsExactHelps(t *testing.T) {
	told := newWorld(8)
	calls := told.chain(600, 1*ms, func(id int) bool { return id%3 == 0 })
	r := told.play(Options{})
	if r.process.model.calibration == (calibration{}) {
		t.Error("nothing was audited")
	}
	r.atLeast(t, calls, 0.93)
}

func TestDecidesWithinMaxWait(t *testing.T) {
	w := newWorld(9)
	w.chain(40, 200*ms, nil)
	o := Options{MaxWait: 500 * ms}
	r := w.play(o)
	ended := int64(0)
	for _, c := range r.calls {
		if c.end != 0 && !c.settled {
			ended = max(ended, r.process.clock-c.end)
		}
	}
	if limit := (o.MaxWait + 20*ms).Nanoseconds(); ended > limit {
		t.Errorf("a call waits for %v, more than %v", time.Duration(ended), time.Duration(limit))
	}
	if len(r.decisions) == 0 {
		t.Error("nothing was decided")
	}
}

// A request that stays open, a stream, is not waited for by the calls of others.
func TestLongRequestDoesNotBlock(t *testing.T) {
	w := newWorld(10)
	calls := w.chain(1000, 5*ms, nil)
	w.request(100_000, "GET /stream", int64(ms), int64(time.Hour))
	w.events = w.events[:len(w.events)-1]
	r := w.play(Options{MaxWait: time.Second})
	if left := r.process.Waiting(); left > 800 {
		t.Errorf("%d of %d calls wait", left, calls)
	}
	r.atLeast(t, calls, 0.97)
}

func TestNothingIsKept(t *testing.T) {
	w := newWorld(11)
	w.chain(500, 3*ms, nil)
	r := w.play(Options{})
	r.process.Flush()
	r.process.Decide(r.process.clock)
	if p := r.process; len(p.requests) != 0 || len(p.calls) != 0 || p.Waiting() != 0 {
		t.Errorf("kept: %d requests, %d calls, %d waiting", len(p.requests), len(p.calls), p.Waiting())
	}
}

func TestManyWaitingAreDecided(t *testing.T) {
	w := newWorld(12)
	w.chain(500, 1*ms, nil)
	r := w.play(Options{MaxHeld: 100})
	if n := r.process.Waiting(); n > 130 {
		t.Errorf("%d calls wait, the bound is 100", n)
	}
}

// A process whose calls are all decided by stronger evidence costs next to nothing.
func TestSleeps(t *testing.T) {
	w := newWorld(13)
	w.chain(300, 3*ms, func(int) bool { return true })
	r := w.play(Options{})
	if len(r.process.calls) != 0 || r.process.model.requests != 0 {
		t.Errorf("%d calls kept, %v requests learned from", len(r.process.calls), r.process.model.requests)
	}
}

func TestTimeOfProcessorsIsBounded(t *testing.T) {
	w := newWorld(14)
	calls := w.chain(1500, 1*ms, nil)
	r := w.play(Options{MaxCPU: 0.0001, MaxWait: 200 * ms})
	r.decisions = append(r.decisions, r.process.Flush()...)
	if len(r.decisions) != calls {
		t.Errorf("%d decisions of %d calls", len(r.decisions), calls)
	}
	given, givenUp := 0, 0
	for _, d := range r.decisions {
		if d.Parent != nil {
			given++
		}
		if d.GivenUp == Overloaded {
			givenUp++
		}
	}
	if given == 0 || givenUp < calls/2 {
		t.Errorf("of %d calls %d were given a parent, %d were given up", calls, given, givenUp)
	}
}

func TestTooManyOpen(t *testing.T) {
	w := newWorld(15)
	calls := w.chain(300, 1*ms, nil)
	r := w.play(Options{MaxOpen: 2})
	r.decisions = append(r.decisions, r.process.Flush()...)
	undecided := 0
	for _, d := range r.decisions {
		if d.GivenUp == Crowded {
			undecided++
		}
	}
	if len(r.decisions) != calls || undecided < calls/2 {
		t.Errorf("%d decisions, %d undecided, of %d", len(r.decisions), undecided, calls)
	}
}

func TestSameInputSameDecisions(t *testing.T) {
	play := func() []Decision {
		w := newWorld(16)
		w.chain(300, 2*ms, nil)
		r := w.play(Options{})
		return append(r.decisions, r.process.Flush()...)
	}
	a, b := play(), play()
	if len(a) != len(b) {
		t.Fatalf("%d and %d decisions", len(a), len(b))
	}
	owner := func(r *Request) any {
		if r == nil {
			return nil
		}
		return r.Owner
	}
	for i := range a {
		if owner(a[i].Parent) != owner(b[i].Parent) || a[i].Confidence != b[i].Confidence || owner(a[i].RunnerUp) != owner(b[i].RunnerUp) {
			t.Fatalf("decision %d differs: %+v, %+v", i, a[i], b[i])
		}
	}
}

// What is learned follows a program whose delays change.
func TestDrift(t *testing.T) {
	w := newWorld(17)
	start, calls := int64(time.Second), 0
	for id := range 6000 {
		start += int64(w.rand.ExpFloat64() * float64(8*ms))
		pause := 200 * us
		if id > 3000 {
			pause = 5 * ms
		}
		begin := start + w.delay(pause)
		end := begin + w.delay(5*ms)
		w.call(id, "db", begin, end, false)
		w.request(id, "GET /", start, end+w.delay(100*us))
		calls++
	}
	r := w.play(Options{})
	r.decisions = append(r.decisions, r.process.Flush()...)
	late := run{decisions: r.decisions[len(r.decisions)*3/4:], truth: r.truth}
	if got := late.right(); got < 0.95 {
		t.Errorf("after the change %.3f are right", got)
	}
}
