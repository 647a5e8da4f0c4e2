package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"slices"
	"sort"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// maxServersConsidered bounds the work for a context that very many requests
// name, such as a constant traceparent header.
const maxServersConsidered = 32

// parentOf returns the span under which s is shown, nil when none is known.
func (x *index) parentOf(s *span) *span {
	if p := x.chainedParent(s); p != nil {
		return p
	}
	return x.holder(s)
}

// chainedParent makes one chain of an SDK's client span, the kernel's client and
// server span, and the server's SDK span, which all know the context that went
// over the wire. It returns nil where s's own parent stands.
func (x *index) chainedParent(s *span) *span {
	switch {
	case !x.inherit:
		return nil
	case s.segment.foreign():
		return x.serverBehind(s)
	case s.outgoing():
		return x.clientBefore(s)
	case s.incoming() && x.holder(s) == nil:
		return x.sdkSpan(s.contexts)
	}
	return nil
}

// clientBefore returns the SDK's span that made the call s. A process that only
// passes on the context of the request that it serves made no span of its own.
func (x *index) clientBefore(s *span) *span {
	p := x.holder(s)
	for i, ref := range s.contexts {
		if p != nil && !p.segment.foreign() && p.incoming() && p.names(ref) {
			continue
		}
		if sdk := x.sdkSpan(s.contexts[i : i+1]); sdk != nil {
			return sdk
		}
	}
	return nil
}

// sdkSpan returns the first span of an SDK that one of the contexts names.
func (x *index) sdkSpan(refs []contextRef) *span {
	for _, ref := range refs {
		if s := x.find(ref.trace, ref.span); s != nil && s.segment.foreign() {
			return s
		}
	}
	return nil
}

// serverBehind returns the kernel's server span of the request that the SDK's
// server span s serves: of those that name s's parent and are open when s begins,
// the last one on the way. Where none is open, the nearest in time.
func (x *index) serverBehind(s *span) *span {
	if !s.parentIsRemote() || s.parent.IsEmpty() {
		return nil
	}
	ref := contextRef{trace: s.trace, span: s.parent}
	servers := serversAround(x.servers[ref], s.start)
	open := make([]*span, 0, len(servers))
	for _, v := range servers {
		if v.start <= s.start && s.start <= v.end {
			open = append(open, v)
		}
	}
	if len(open) == 0 {
		return nearest(servers, s.start)
	}
	return x.last(open, ref)
}

// serversAround returns those of servers, sorted by start, that start last before
// t and the first one after it.
func serversAround(servers []*span, t pcommon.Timestamp) []*span {
	after := sort.Search(len(servers), func(i int) bool { return servers[i].start > t })
	return servers[max(0, after-maxServersConsidered):min(len(servers), after+1)]
}

func nearest(servers []*span, t pcommon.Timestamp) *span {
	var best *span
	for _, v := range servers {
		if best == nil || distance(v.start, t) < distance(best.start, t) {
			best = v
		}
	}
	return best
}

func distance(a, b pcommon.Timestamp) pcommon.Timestamp { return max(a, b) - min(a, b) }

// last returns the server of the list from which no other was reached: a proxy
// that passes the context on stands before the server that it calls. Of several
// the one that started last.
func (x *index) last(servers []*span, ref contextRef) *span {
	proxies := map[*span]bool{}
	for _, v := range servers {
		if call := x.holder(v); call != nil && call.outgoing() && call.names(ref) {
			proxies[x.holder(call)] = true
		}
	}
	for _, v := range slices.Backward(servers) {
		if !proxies[v] {
			return v
		}
	}
	return servers[len(servers)-1]
}
