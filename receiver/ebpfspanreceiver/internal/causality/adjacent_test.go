package causality

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// alike is a loop whose requests make two calls to one peer that look alike. It reads many answers in a turn.
func alike(t *testing.T, connections int, seed uint64) *pooling {
	p := newPoolingOf(t, 1, connections, seed)
	p.pools = append(p.pools, p.pools[0])
	return p
}

// runs starts so many more requests, of which so many are in flight.
func (p *pooling) runs(requests, inFlight int) {
	for ; requests > 0; p.turn++ {
		p.now += 1e6
		p.ladder.Tick(p.now)
		for n := p.random.IntN(inFlight + 1); n > 0 && requests > 0 && len(p.stage) < inFlight; n-- {
			requests--
			r := p.reads(p.task())
			p.stage[r] = 0
			p.wants(r)
		}
		for n := p.random.IntN(len(p.pools[0].calling) + 1); n > 0; n-- {
			p.answered(p.pools[0])
		}
	}
}

// behindAnswers are the trails that went over calls directly behind answers.
func (p *pooling) behindAnswers() (sum agreement) {
	l := &p.ladder.processes[1].threads[1].loop
	heads := l.number(endpoint{incoming: true})
	for k, a := range l.adjacencies {
		if k.kind != heads {
			sum.join(agreement{a.right, a.total})
		}
	}
	return sum
}

// What is read directly before a call leads to it, unless the answer gives back a connection on which others wait.
func TestWhatIsReadDirectlyBeforeLeadsToACall(t *testing.T) {
	for name, tt := range map[string]struct {
		connections, inFlight int
		least, most           float64
	}{
		"large pool":     {64, 16, 1, 1},
		"pool too small": {8, 32, 0, 0.5},
		"two in flight":  {64, 2, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := alike(t, tt.connections, 3)
			p.runs(300, tt.inFlight)
			trails := p.behindAnswers()
			assert.Greater(t, trails.total, 20.0)
			share := trails.right / trails.total
			assert.GreaterOrEqual(t, share, tt.least)
			assert.LessOrEqual(t, share, tt.most)
		})
	}
}

// Where one request only is open, any act is its.
func TestOneRequestTellsNothingOfWhatIsReadDirectlyBefore(t *testing.T) {
	p := alike(t, 64, 3)
	p.runs(300, 1)
	assert.Zero(t, p.behindAnswers().total)
}

// A pool is large enough for the requests in flight until a burst of them comes, and so it goes on. As long as it is, a call is
// for the request whose answer was read directly before it; in the burst it is for another one.
func TestPoolsThatAreTooSmallAtTimes(t *testing.T) {
	for seed := range uint64(5) {
		p := alike(t, 16, seed)
		for range 2 {
			p.runs(700, 8)
			p.runs(700, 64)
		}
		right, wrong := p.shares()
		assert.GreaterOrEqual(t, right, 0.99, "seed %d", seed)
		assert.LessOrEqual(t, wrong, 0.002, "seed %d", seed)
	}
}

// What a timer does behind a read is not due to that.
func TestTimersBehindReads(t *testing.T) {
	w := newWorld(t)
	turn := uint32(1)
	for range 40 {
		task := onThread(1)
		task.Waits = turn
		first := w.reads(task)
		called := w.calls(task)
		second := w.reads(task)
		late := w.calls(task) // the first one's timer
		turn++
		task.Waits = turn
		for _, c := range []*protocol.Exchange{called, late} {
			w.completes(c, task)
		}
		w.responds(first, task)
		turn++
		task.Waits = turn
		w.responds(second, task)
		turn++
	}
	l := &w.ladder.processes[1].threads[1].loop
	assert.NotEmpty(t, l.adjacencies)
	for kind, a := range l.adjacencies {
		assert.LessOrEqual(t, a.right, 0.6*a.total, "%v", kind)
	}
}
