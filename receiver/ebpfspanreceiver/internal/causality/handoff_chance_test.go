package causality

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// A claim over many wake-ups is as likely by chance, until such claims stand again and again.
func TestFarClaimsAreDoubtfulUntilTheyAreUsual(t *testing.T) {
	for name, plays := range map[string]struct {
		before   int
		believed bool
	}{"nothing is known": {0, false}, "usual": {40, true}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.reads(onThread(50))
			for range plays.before {
				w.handsOverByWay(fewHops + 1)
			}
			assert.Equal(t, plays.believed, w.handsOverByWay(fewHops+1).Confidence > reliable)
		})
	}
}

// How many far claims stand by chance follows from how many are refuted, and how many calls nobody claims.
func TestRefutedClaimsMakeThoseThatStandDoubtful(t *testing.T) {
	for name, seen := range map[string]struct {
		stands, refuted, missed int
		believed                bool
	}{
		"never refuted":                     {stands: 100, missed: 10, believed: true},
		"refuted, but nobody misses a call": {stands: 100, refuted: 400, believed: true},
		"refuted, and calls are missed":     {stands: 100, refuted: 400, missed: 200},
	} {
		t.Run(name, func(t *testing.T) {
			var s chances
			own, far := &call{exchange: &protocol.Exchange{}}, &claimed{hops: fewHops + 1}
			for i := range seen.stands + seen.refuted {
				r := &request{}
				c := &call{exchange: &protocol.Exchange{}}
				c.claims = []claimed{{request: r, hops: fewHops + 1}}
				if i < seen.refuted {
					own.claims = []claimed{{request: r, hops: 1}}
					r.claims = []*call{own, c}
				}
				s.learn(c)
			}
			for range seen.missed {
				s.misses(&call{})
			}
			assert.Equal(t, seen.believed, s.most(far) > reliable)
			assert.InDelta(t, 1, s.most(&claimed{hops: fewHops}), 0, "near claims are not concerned")
		})
	}
}
