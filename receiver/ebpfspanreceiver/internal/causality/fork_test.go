package causality

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// forking is a loop whose requests make two calls at once, one on a connection that all share and one through a pool that is too
// small, and are answered when both calls are.
type forking struct{ *pipelining }

// asks has a request make its calls.
func (f forking) asks(r *protocol.Exchange) {
	f.stage[r] = 2
	f.pipes(r, "exists")
	pool := f.pools[0]
	if n := len(pool.free); n > 0 {
		c := pool.free[n-1]
		pool.free = pool.free[:n-1]
		f.write(pool, c, r)
		return
	}
	pool.waiting = append(pool.waiting, r)
}

// joins takes that one of a request's calls was answered.
func (f forking) joins(r *protocol.Exchange) {
	if f.stage[r]--; f.stage[r] == 0 {
		delete(f.stage, r)
		f.responds(r, f.task())
	}
}

// pooled plays the answer to one of the pool's calls.
func (f forking) pooled() {
	pool := f.pools[0]
	k := pool.calling[0]
	pool.calling = pool.calling[1:]
	f.completes(k, f.task())
	if len(pool.waiting) > 0 {
		f.write(pool, k.Conn, pool.waiting[0])
		pool.waiting = pool.waiting[1:]
	} else {
		pool.free = append(pool.free, k.Conn)
	}
	f.joins(f.truth[k])
}

// read plays one read with the answers to some of the calls on the shared connection.
func (f forking) read() {
	answered := slices.Clone(f.piped[:f.random.IntN(len(f.piped)+1)])
	f.piped = slices.Clone(f.piped[len(answered):])
	read := f.at(f.task())
	for _, k := range answered {
		k.Response.First, k.Response.Last, k.End, k.Response.Complete = read, read, read, true
		f.ladder.Exchange(k, protocol.ResponseBegan)
		f.ladder.Exchange(k, protocol.Ended)
	}
	for _, k := range answered {
		f.joins(f.truth[k])
	}
}

// Where a request makes two calls at once, that which waits for a connection is its own though the other one was written first.
func TestOneOfTwoCallsWaits(t *testing.T) {
	for seed := range uint64(5) {
		f := forking{newPipelining(t, 128, seed)}
		for ; f.started < 1000 || len(f.stage) > 0; f.turn++ {
			f.now += 20_000
			f.ladder.Tick(f.now)
			for n := f.random.IntN(41); n > 0 && f.started < 1000 && len(f.stage) < f.inFlight; n-- {
				f.started++
				f.asks(f.reads(f.task()))
			}
			f.read()
			for n := f.random.IntN(len(f.pools[0].calling) + 1); n > 0; n-- {
				f.pooled()
			}
		}
		right, wrong := f.shares()
		assert.GreaterOrEqual(t, right, 0.99, "seed %d", seed)
		assert.LessOrEqual(t, wrong, 0.002, "seed %d", seed)
	}
}

// If all tokens lead to one sort of deeds, those which led to another lead to that, too; if a token leads to one of two,
// what led to one does not lead to the other.
func TestAlongside(t *testing.T) {
	for name, c := range map[string]struct{ share, other, want float64 }{
		"all lead to both":          {1, 1, 1},
		"all lead to one":           {1, 0.2, 1},
		"either":                    {0.5, 0.5, 0},
		"some lead to both":         {0.8, 0.75, sharpened(0.55 / 0.75)},
		"nothing else":              {1, 0, 0},
		"more deeds than there are": {1.2, 3, 1},
	} {
		t.Run(name, func(t *testing.T) { assert.InDelta(t, c.want, alongside(c.share, c.other), 1e-9) })
	}
}

// A token that led to something else is open to a queue only as far as such tokens lead to both.
func TestAPlaceIsOpenBesidesOtherDeeds(t *testing.T) {
	x := &deed{}
	for name, c := range map[string]struct{ acted, claimed, along, want float64 }{
		"nothing rests on it":     {0, 0, 0, 0.9},
		"another deed, either":    {1, 0, 0, 0.018},
		"another deed, both":      {1, 0, 0.8, 0.8},
		"a call of the queue":     {1, 1, 0, 0.9},
		"the queue's and another": {2, 1, 0.8, 0.8},
	} {
		t.Run(name, func(t *testing.T) {
			p := &place{token: &token{acted: c.acted}, claimed: c.claimed, want: always(0.9), along: c.along}
			assert.InDelta(t, c.want, p.open(x, queueSlip), 1e-9)
		})
	}
}
