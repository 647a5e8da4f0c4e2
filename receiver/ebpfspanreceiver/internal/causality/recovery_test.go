package causality

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// pipelining is a loop whose requests make two calls on a connection that all share, and then one through a pool that
// is too small, whose client puts it off until the turn's other calls are written.
type pipelining struct {
	*pooling
	shared            *conn.Conn
	piped             []*protocol.Exchange
	started, inFlight int
	// unaligned is how many of the first answers on the shared connection are not known to be whole.
	unaligned int
}

func newPipelining(t *testing.T, inFlight int, seed uint64) *pipelining {
	p := &pipelining{pooling: newPoolingOf(t, 1, 8, seed), inFlight: inFlight}
	p.shared = &conn.Conn{Remote: netip.MustParseAddrPort("127.0.0.1:6379"), Shared: true}
	return p
}

// pipes writes a call on the shared connection.
func (p *pipelining) pipes(r *protocol.Exchange, name string) {
	k := p.begins(p.task(), &protocol.Exchange{Conn: p.shared, Name: name})
	p.truth[k] = r
	p.calls = append(p.calls, k)
	p.piped = append(p.piped, k)
}

// answersPipeline plays one read with the answers to some of the calls on the shared connection, and what their requests
// do then.
func (p *pipelining) answersPipeline() {
	answered := p.piped[:p.random.IntN(len(p.piped)+1)]
	p.piped = append([]*protocol.Exchange(nil), p.piped[len(answered):]...)
	read := p.at(p.task())
	for _, k := range answered {
		p.unaligned--
		k.Response.First, k.Response.Last, k.End = read, read, read
		p.ladder.Exchange(k, protocol.ResponseBegan)
		k.Response.Complete = p.unaligned < 0
		p.ladder.Exchange(k, protocol.Ended)
	}
	for _, k := range answered {
		if k.Name == "set" {
			p.pipes(p.truth[k], "get")
		}
	}
	for _, k := range answered {
		if k.Name == "get" {
			p.wants(p.truth[k])
		}
	}
}

// turns plays turns of the loop until so many requests were answered.
func (p *pipelining) turns(requests int) {
	for ; p.started < requests || len(p.stage) > 0; p.turn++ {
		p.now += 20_000
		p.ladder.Tick(p.now)
		for n := p.random.IntN(41); n > 0 && p.started < requests && len(p.stage) < p.inFlight; n-- {
			p.started++
			r := p.reads(p.task())
			p.stage[r] = 0
			p.pipes(r, "set")
		}
		p.answersPipeline()
		for range 3 {
			if pool := p.pools[0]; len(pool.calling) > 0 {
				p.answered(pool)
			}
		}
	}
}

// among returns how many of calls have the right parent and a wrong one.
func (p *pipelining) among(calls []*protocol.Exchange) (right, wrong float64) {
	for _, k := range calls {
		if l := p.links[k]; l.Confidence >= 0.9 && l.Parent == p.truth[k] {
			right++
		} else if l.Confidence >= 0.9 {
			wrong++
		}
	}
	return right / float64(len(calls)), wrong / float64(len(calls))
}

// What leads to the calls that wait is another kind of token after a while than at first, when answers
// are not known to be whole: that must be learned while all calls wait.
func TestWhatLeadsToCallsChanges(t *testing.T) {
	for seed := range uint64(3) {
		p := newPipelining(t, 96, seed)
		p.unaligned = 150
		p.turns(1000)
		p.ladder.Flush()
		half := len(p.calls) / 2
		right, wrong := p.among(p.calls[half:])
		assert.GreaterOrEqual(t, right, 0.98, "seed %d", seed)
		assert.LessOrEqual(t, wrong, 0.001, "seed %d", seed)
	}
}
