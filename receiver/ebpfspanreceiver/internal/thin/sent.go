package thin

import "github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"

// maxSent is how many decisions about requests that were sent are remembered: those
// of the last second at the most that one agent can follow.
const maxSent = 16384

// sent remembers the decisions about the last requests that this host sent. Their
// servers may be on this host, too, and decide after the threshold changed.
type sent struct {
	decisions []decision
	next      int
}

type decision struct {
	key       uint64
	threshold sampling.Threshold
}

func (s *sent) add(key uint64, threshold sampling.Threshold) {
	if len(s.decisions) < maxSent {
		s.decisions = append(s.decisions, decision{key, threshold})
		return
	}
	s.decisions[s.next] = decision{key, threshold}
	s.next = (s.next + 1) % maxSent
}

// turned fills to with the decisions that would be others by threshold.
func (s *sent) turned(threshold sampling.Threshold, to map[uint64]sampling.Threshold) {
	clear(to)
	for _, d := range s.decisions {
		if below(d.key, d.threshold) != below(d.key, threshold) {
			to[d.key] = d.threshold
		}
	}
}
