package causality

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// proxying is a loop that makes one call for each request. In a turn it reads all there is, but only so many
// calls and responses are written: it goes on in the next one.
type proxying struct {
	*world
	random *rand.Rand
	turn   uint32
	// toCall, toAnswer are requests that wait for their turn, away the calls that are under way.
	toCall, toAnswer []*protocol.Exchange
	away, calls      []*protocol.Exchange
	truth            map[*protocol.Exchange]*protocol.Exchange
	open             int
}

func newProxying(t *testing.T) *proxying {
	return &proxying{world: newWorld(t), random: rand.New(rand.NewPCG(3, 4)), truth: make(map[*protocol.Exchange]*protocol.Exchange)}
}

func (p *proxying) task() capture.Task { return capture.Task{PID: 1, TID: 1, Waits: p.turn} }

func (p *proxying) call(r *protocol.Exchange) {
	k := p.begins(p.task(), &protocol.Exchange{Name: "GET"})
	p.truth[k] = r
	p.calls, p.away = append(p.calls, k), append(p.away, k)
}

// readsAll reads so many requests, and the responses to most calls, in any order.
func (p *proxying) readsAll(requests int) {
	for range requests {
		p.open++
		p.toCall = append(p.toCall, p.reads(p.task()))
	}
	p.random.Shuffle(len(p.away), func(i, j int) { p.away[i], p.away[j] = p.away[j], p.away[i] })
	for range (len(p.away)*2 + 2) / 3 {
		k := p.away[0]
		p.away = p.away[1:]
		p.completes(k, p.task())
		if r := p.truth[k]; r != nil {
			p.toAnswer = append(p.toAnswer, r)
		}
	}
}

// writes does a part of what there is to do, the calls first.
func (p *proxying) writes() {
	for range min(len(p.toCall), 2+p.random.IntN(12)) {
		p.call(p.toCall[0])
		p.toCall = p.toCall[1:]
	}
	for range min(len(p.toAnswer), 2+p.random.IntN(12)) {
		p.open--
		p.responds(p.toAnswer[0], p.task())
		p.toAnswer = p.toAnswer[1:]
	}
}

// shares returns how many of the calls after the first have the right parent and a wrong one.
func (p *proxying) shares() (right, wrong float64) {
	const learning = 600
	p.ladder.Flush()
	for _, k := range p.calls[learning:] {
		if l := p.links[k]; l.Confidence >= 0.9 && l.Parent == p.truth[k] || p.truth[k] == nil && l.Parent == nil {
			right++
		} else if l.Confidence >= 0.9 {
			wrong++
		}
	}
	all := float64(len(p.calls) - learning)
	return right / all, wrong / all
}

// What a loop does in a turn says nothing of what it read in it where it has more to do than fits in there. But
// what is done first is what was read first. A call for nobody, or a request without a call, makes it lose count
// until nothing is open.
func TestALoopThatFallsBehind(t *testing.T) {
	for name, of := range map[string]struct{ slips, right, wrong float64 }{"always": {0, 0.99, 0.001}, "but for some": {0.0005, 0.6, 0.02}} {
		t.Run(name, func(t *testing.T) {
			p := newProxying(t)
			for started, most := 0, 400; started < 6000 || p.open > 0; p.turn++ {
				p.ladder.Tick(p.now)
				requests := 0
				if started < most && p.open < 100 {
					requests = p.random.IntN(18)
				}
				started += requests
				p.readsAll(requests)
				if len(p.toCall) > 0 && p.random.Float64() < of.slips*float64(requests) {
					p.toAnswer = append(p.toAnswer, p.toCall[0])
					p.toCall = p.toCall[1:]
				}
				if p.random.Float64() < of.slips*float64(requests) {
					p.call(nil)
				}
				p.writes()
				if p.open == 0 && started < 6000 {
					most = started + 400
				}
			}
			right, wrong := p.shares()
			assert.GreaterOrEqual(t, right, of.right)
			assert.LessOrEqual(t, wrong, of.wrong)
			t.Log(right, wrong)
		})
	}
}
