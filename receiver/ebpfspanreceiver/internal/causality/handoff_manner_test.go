package causality

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// pooled is a program in which one thread reads all answers, and wakes a worker of a pool for each, which starts who answers the
// request.
type pooled struct {
	*world
	next uint32
}

// answer is how one answer is handed over: to a worker that is started, or behind the waking of another one, while another answer is
// read; by a worker that wakes somebody else first, or wakes who answers.
type answer struct{ starts, behind, meanwhile, first, wakes bool }

// serves plays a request beside another one.
func (p *pooled) serves(how answer) Link {
	const reader, worker, other, another = 10, 20, 30, 40
	o, r := p.reads(onThread(1)), p.reads(onThread(2))
	beside, k := p.calls(onThread(11)), p.calls(onThread(11))
	p.completes(k, onThread(reader))
	if how.behind {
		p.wakes(onThread(reader), onThread(other), 3)
	}
	p.wakes(onThread(reader), onThread(worker), futexUnless(how.starts, 2))
	if how.meanwhile {
		p.completes(beside, onThread(reader))
	}
	if how.first {
		p.wakes(onThread(worker), onThread(another), 4)
	}
	p.next++
	answers := onThread(1000 + p.next)
	p.wakes(onThread(worker), answers, futexUnless(!how.wakes, uint64(1000+p.next)))
	p.responds(r, answers)
	if !how.meanwhile {
		p.completes(beside, onThread(reader))
	}
	p.responds(o, onThread(1))
	p.linked(k, r, MethodHandoff)
	return p.links[k]
}

func futexUnless(none bool, futex uint64) uint64 {
	if none {
		return 0
	}
	return futex
}

// A pool starts a worker where none waits, so that all are awake: one may take another answer than that for which it was woken. So may one that was
// woken when the answer had been handed over already.
func TestAnswersInAnUnusualMannerAreDoubtful(t *testing.T) {
	for name, how := range map[string]answer{
		"a worker is started":          {starts: true},
		"another one was woken before": {behind: true},
		"who answers is woken":         {wakes: true},
	} {
		t.Run(name, func(t *testing.T) {
			p := &pooled{world: newWorld(t)}
			for i := range 80 {
				assert.GreaterOrEqual(t, p.serves(answer{meanwhile: true, first: i%2 > 0}).Confidence, reliable)
			}
			assert.GreaterOrEqual(t, p.serves(how).Confidence, reliable, "there is no other answer")
			how.meanwhile = true
			assert.Less(t, p.serves(how).Confidence, reliable)
			for range 40 {
				p.serves(how)
			}
			assert.GreaterOrEqual(t, p.serves(how).Confidence, reliable, "this is usual, too")
		})
	}
}

func TestMannersAreForgotten(t *testing.T) {
	var s customs
	started := manner(0).with(startedFirst, true)
	for range 3 * maxWays {
		s.add(0)
	}
	assert.False(t, s.keeps(started))
	for range 3 * maxWays {
		s.add(started)
	}
	assert.LessOrEqual(t, s.total, float64(maxWays))
	assert.True(t, s.keeps(started))
	assert.False(t, s.keeps(0))
	assert.True(t, s.keeps(manner(0).with(lone, true)))
}
