package causality

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// pooling is a loop whose requests make calls through pools, first in, first out.
type pooling struct {
	*world
	random *rand.Rand
	turn   uint32
	pools  []*fifo
	// calls are those that were made, truth is whose each is, stage which of its calls a request
	// makes next.
	calls []*protocol.Exchange
	truth map[*protocol.Exchange]*protocol.Exchange
	stage map[*protocol.Exchange]int
}

// fifo is a pool of connections to one peer.
type fifo struct {
	free    []*conn.Conn
	waiting []*protocol.Exchange
	calling []*protocol.Exchange
}

func newPooling(t *testing.T, peers, connections int) *pooling {
	return newPoolingOf(t, peers, connections, 7)
}

func newPoolingOf(t *testing.T, peers, connections int, seed uint64) *pooling {
	p := &pooling{
		world: newWorld(t), random: rand.New(rand.NewPCG(seed, 8)),
		truth: make(map[*protocol.Exchange]*protocol.Exchange), stage: make(map[*protocol.Exchange]int),
	}
	for peer := range peers {
		pool := &fifo{}
		for range connections {
			pool.free = append(pool.free, &conn.Conn{Remote: netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(1000+peer))})
		}
		p.pools = append(p.pools, pool)
	}
	return p
}

func (p *pooling) task() capture.Task { return capture.Task{PID: 1, TID: 1, Waits: p.turn} }

// wants has a request make its next call as soon as a connection is free, or answers it.
func (p *pooling) wants(r *protocol.Exchange) {
	stage := p.stage[r]
	if stage == len(p.pools) {
		delete(p.stage, r)
		p.responds(r, p.task())
		return
	}
	pool := p.pools[stage]
	if len(pool.free) == 0 {
		pool.waiting = append(pool.waiting, r)
		return
	}
	c := pool.free[len(pool.free)-1]
	pool.free = pool.free[:len(pool.free)-1]
	p.write(pool, c, r)
}

func (p *pooling) write(pool *fifo, c *conn.Conn, r *protocol.Exchange) {
	k := p.begins(p.task(), &protocol.Exchange{Conn: c, Name: "GET"})
	p.truth[k] = r
	p.calls = append(p.calls, k)
	pool.calling = append(pool.calling, k)
}

// answered plays the answer to one of a pool's calls: its connection goes to who waits, then
// its request goes on.
func (p *pooling) answered(pool *fifo) {
	i := p.random.IntN(len(pool.calling))
	k := pool.calling[i]
	pool.calling = append(pool.calling[:i], pool.calling[i+1:]...)
	p.completes(k, p.task())
	c, r := k.Conn, p.truth[k]
	if len(pool.waiting) > 0 {
		p.write(pool, c, pool.waiting[0])
		pool.waiting = pool.waiting[1:]
	} else {
		pool.free = append(pool.free, c)
	}
	p.stage[r]++
	p.wants(r)
}

// shares returns how many of the calls have the right parent and a wrong one, but for the first, of
// which the ladder learns.
func (p *pooling) shares() (right, wrong float64) {
	const learning = 400
	p.ladder.Flush()
	for _, k := range p.calls[learning:] {
		if l := p.links[k]; l.Confidence >= 0.9 && l.Parent == p.truth[k] {
			right++
		} else if l.Confidence >= 0.9 {
			wrong++
		}
	}
	all := float64(len(p.calls) - learning)
	return right / all, wrong / all
}

// Each request makes three calls in sequence, through pools that are too small at most times:
// a call is written when an answer to another request's gives back a connection.
func TestCallsThatWaitForConnections(t *testing.T) {
	for name, inFlight := range map[string]int{"always": 24, "at times": 8} {
		t.Run(name, func(t *testing.T) {
			p := newPooling(t, 3, 4)
			for started := 0; started < 1000 || len(p.stage) > 0; p.turn++ {
				p.ladder.Tick(p.now)
				if started < 1000 && len(p.stage) < inFlight && p.random.IntN(3) > 0 {
					started++
					r := p.reads(p.task())
					p.stage[r] = 0
					p.wants(r)
				}
				if pool := p.pools[p.random.IntN(len(p.pools))]; len(pool.calling) > 0 {
					p.answered(pool)
				}
			}
			right, wrong := p.shares()
			assert.GreaterOrEqual(t, right, 0.99)
			assert.LessOrEqual(t, wrong, 0.002)
		})
	}
}

// As many requests as there are in flight come at once, so that a few calls only need not wait for a
// connection, before anything is known of the loop.
func TestCallsThatWaitFromTheStart(t *testing.T) {
	for name, inFlight := range map[string]int{"64": 64, "256": 256} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(5) {
				p := newPoolingOf(t, 3, 8, seed)
				for started := 0; started < 1000 || len(p.stage) > 0; p.turn++ {
					p.now += 20_000
					p.ladder.Tick(p.now)
					for n := p.random.IntN(41); n > 0 && started < 1000 && len(p.stage) < inFlight; n-- {
						started++
						r := p.reads(p.task())
						p.stage[r] = 0
						p.wants(r)
					}
					for range 1 + p.random.IntN(3) {
						if pool := p.pools[p.random.IntN(len(p.pools))]; len(pool.calling) > 0 {
							p.answered(pool)
						}
					}
				}
				right, wrong := p.shares()
				assert.GreaterOrEqual(t, right, 0.98, "seed %d", seed)
				assert.LessOrEqual(t, wrong, 0.002, "seed %d", seed)
			}
		})
	}
}

// Each request makes two calls to one peer that look alike, through a pool that is as large as there are requests in
// flight, or too small. The loop reads dozens of answers in a turn.
func TestAlikeCallsThatWaitForConnections(t *testing.T) {
	for name, inFlight := range map[string]int{"large": 64, "too small": 256} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(3) {
				p := newPoolingOf(t, 1, 64, seed)
				p.pools = append(p.pools, p.pools[0])
				for started := 0; started < 1500 || len(p.stage) > 0; p.turn++ {
					p.now += 1e6
					p.ladder.Tick(p.now)
					for n := p.random.IntN(41); n > 0 && started < 1500 && len(p.stage) < inFlight; n-- {
						started++
						r := p.reads(p.task())
						p.stage[r] = 0
						p.wants(r)
					}
					for n := p.random.IntN(len(p.pools[0].calling) + 1); n > 0; n-- {
						p.answered(p.pools[0])
					}
				}
				right, wrong := p.shares()
				assert.GreaterOrEqual(t, right, 0.99, "seed %d", seed)
				assert.LessOrEqual(t, wrong, 0.005, "seed %d", seed)
			}
		})
	}
}

// Each request calls one peer, then the other. In each turn the loop reads the answers of many,
// in one read each, and writes those to the first peer before those to the other, so that these are
// overtaken by calls that were wanted later.
func TestCallsToOnePeerOvertakeOthers(t *testing.T) {
	p := newPooling(t, 2, 64)
	for started := 0; started < 1500 || len(p.stage) > 0; p.turn++ {
		p.ladder.Tick(p.now)
		var ready [3][]*protocol.Exchange
		for _, peer := range p.random.Perm(len(p.pools)) {
			pool := p.pools[peer]
			answers := pool.calling[:p.random.IntN(len(pool.calling)+1)]
			pool.calling = append([]*protocol.Exchange(nil), pool.calling[len(answers):]...)
			for _, k := range answers {
				p.completes(k, p.task())
				pool.free = append(pool.free, k.Conn)
				r := p.truth[k]
				p.stage[r]++
				ready[p.stage[r]] = append(ready[p.stage[r]], r)
			}
		}
		for range p.random.IntN(6) {
			if started < 1500 && len(p.stage) < 32 {
				started++
				r := p.reads(p.task())
				p.stage[r] = 0
				ready[0] = append(ready[0], r)
			}
		}
		for _, requests := range ready {
			for _, r := range requests {
				p.wants(r)
			}
		}
	}
	right, wrong := p.shares()
	assert.GreaterOrEqual(t, right, 0.99)
	assert.LessOrEqual(t, wrong, 0.002)
}

// Where two guesses differ, at most one of them is right.
func TestAGuessAgainstAnother(t *testing.T) {
	assert.InDelta(t, 0.95, against(0.95, 0.5), 1e-9)
	assert.InDelta(t, 0.5, against(0.9, 0.9), 1e-9)
	assert.Less(t, against(0.95, 0.9), 0.9)
}
