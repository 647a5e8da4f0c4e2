package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"bytes"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// decide says, with the name of a group that is being named, whether it is passed on.
func (x *index) decide(g *group) {
	n := &g.name
	n.randomness, n.explicit = x.explicitRandomness(g)
	switch {
	case x.honorApp && x.droppedByApp(g):
		n.decision = dropByApp
	case !x.keep(n.trace, n.randomness, n.explicit):
		n.decision = dropBySampling
	}
}

// droppedByApp tells whether applications decided to drop the trace: at least one
// said so, none said the contrary, and no SDK sent a span of it.
func (x *index) droppedByApp(g *group) bool {
	dropped, kept := false, false
	x.eachSpan(g, func(seg *segment, s *span) {
		kept = kept || seg.foreign()
		x.eachContext(s, func(c *listedContext) bool {
			dropped = dropped || c.verdict == verdictDrop
			kept = kept || c.verdict == verdictKeep
			return true
		})
	})
	return dropped && !kept
}

// explicitRandomness returns what an application put into the tracestate (ot=rv); of
// several, that on the smallest trace id.
func (x *index) explicitRandomness(g *group) (randomness uint64, explicit bool) {
	if len(x.randomness) == 0 {
		return 0, false
	}
	var of pcommon.TraceID
	x.eachSegment(g, func(h handle, s *segment) {
		r, ok := x.randomness[h]
		if ok && (!explicit || bytes.Compare(s.trace[:], of[:]) < 0) {
			randomness, explicit, of = r, true, s.trace
		}
	})
	return randomness, explicit
}
