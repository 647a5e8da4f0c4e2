package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"sort"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// maxServersConsidered bounds the work for a context that very many requests
// name, such as a constant traceparent header.
const maxServersConsidered = 32

// parentOf returns a reference to the span under which s is shown, 0 when none is
// known.
func (x *index) parentOf(s *span) uint32 {
	if p := x.chainedParent(s); p != 0 {
		return uint32(p)
	}
	return x.holder(s)
}

// hasParent tells whether parentOf gives a parent, and remembers it.
func (x *index) hasParent(s *span) bool {
	if x.parentAsNamed(s) {
		return true
	}
	p := x.parentOf(s)
	if p != 0 && x.groupOf(s.segment).limit == noLimit {
		s.bits |= spanParentKnown
	}
	return p != 0
}

// parentAsNamed tells without looking it up that the parent which s names is known and
// stands.
func (x *index) parentAsNamed(s *span) bool {
	return s.bits.has(spanParentKnown) && s.plain() && x.groupOf(s.segment).limit == noLimit
}

// holder returns a reference to the span that s names as its parent, of its own
// trace before any other, or 0 when it is not known or in a trace that could not be
// joined. No span is its own parent.
func (x *index) holder(s *span) uint32 {
	p := x.named(s)
	if p == 0 || x.apart(s, p) {
		return 0
	}
	return p
}

// named returns a reference to the span that s names as its parent, or 0.
func (x *index) named(s *span) uint32 {
	if !s.namesParent() {
		return 0
	}
	return x.nearest(s.parent, s.segment)
}

// apart tells whether what p refers to is in another group than s. That happens
// only where a group met a limit.
func (x *index) apart(s *span, p uint32) bool {
	seg := x.segmentBehind(p)
	return seg != s.segment && x.rootOf(seg) != x.rootOf(s.segment)
}

// holderSpan returns the span that s names as its parent, or nil when it is not
// known, or a plain span of a receiver's.
func (x *index) holderSpan(s *span) *span { return x.spanBehind(x.holder(s)) }

func (x *index) isForeign(s *span) bool { return x.segments.At(s.segment).foreign() }

// chainedParent makes one chain of an SDK's client span, the kernel's client and
// server span, and the server's SDK span, which all know the context that went
// over the wire. It returns 0 where s's own parent stands.
func (x *index) chainedParent(s *span) handle {
	switch {
	case !x.inherit:
		return 0
	case x.isForeign(s):
		return x.serverBehind(s)
	case s.contexts == 0:
		return 0
	case s.outgoing():
		return x.clientBefore(s)
	case s.incoming() && x.holder(s) == 0:
		return x.sdkSpan(s, func(contextRef) bool { return true })
	}
	return 0
}

// clientBefore returns the SDK's span that made the call s. A process that only
// passes on the context of the request that it serves made no span of its own.
func (x *index) clientBefore(s *span) handle {
	p := x.holderSpan(s)
	return x.sdkSpan(s, func(ref contextRef) bool {
		return p == nil || x.isForeign(p) || !p.incoming() || !x.names(p, ref)
	})
}

// sdkSpan returns the first span of an SDK that one of s's contexts names for which
// allowed is true.
func (x *index) sdkSpan(s *span, allowed func(contextRef) bool) (found handle) {
	x.eachContext(s, func(c *listedContext) bool {
		if !allowed(c.ref) {
			return true
		}
		own, _ := x.lookup(c.ref.span, x.tag(c.ref.trace))
		sdk := x.spanBehind(own)
		if sdk != nil && x.isForeign(sdk) && !x.apart(s, own) {
			found = handle(own)
		}
		return found == 0
	})
	return found
}

// serverBehind returns the kernel's server span of the request that the SDK's
// server span s serves: of those that name s's parent and are open when s begins,
// the last one on the way. Where none is open, the nearest in time.
func (x *index) serverBehind(s *span) handle {
	if !s.parentIsRemote() || s.parent.IsEmpty() || len(x.servers) == 0 {
		return 0
	}
	ref := contextRef{trace: x.segments.At(s.segment).trace, span: s.parent}
	servers := x.serversAround(x.servers[ref], s.start)
	open := make([]handle, 0, len(servers))
	for _, h := range servers {
		if v := x.spans.At(h); v.start <= s.start && s.start <= v.end {
			open = append(open, h)
		}
	}
	if len(open) == 0 {
		return x.nearestInTime(servers, s.start)
	}
	return x.last(open, ref)
}

// serversAround returns those of servers, sorted by start, that start last before
// t and the first one after it.
func (x *index) serversAround(servers []handle, t pcommon.Timestamp) []handle {
	after := sort.Search(len(servers), func(i int) bool { return x.spans.At(servers[i]).start > t })
	return servers[max(0, after-maxServersConsidered):min(len(servers), after+1)]
}

func (x *index) nearestInTime(servers []handle, t pcommon.Timestamp) (best handle) {
	for _, h := range servers {
		if best == 0 || distance(x.spans.At(h).start, t) < distance(x.spans.At(best).start, t) {
			best = h
		}
	}
	return best
}

func distance(a, b pcommon.Timestamp) pcommon.Timestamp { return max(a, b) - min(a, b) }

// last returns the server of the list from which no other was reached: a proxy
// that passes the context on stands before the server that it calls. Of several
// the one that started last.
func (x *index) last(servers []handle, ref contextRef) handle {
	proxies := map[uint32]bool{}
	for _, h := range servers {
		if call := x.holderSpan(x.spans.At(h)); call != nil && call.outgoing() && x.names(call, ref) {
			proxies[x.holder(call)] = true
		}
	}
	for i := len(servers) - 1; i >= 0; i-- {
		if !proxies[uint32(servers[i])] {
			return servers[i]
		}
	}
	return servers[len(servers)-1]
}
