package main

import (
	"cmp"
	"math"
	"slices"
)

// span is a request or a call, with the truth that is hidden from the rung. Times are nanoseconds.
type span struct {
	trace      int
	name       string
	start, end int64
	call       bool
	// truth is the request that caused a call, nil where there is none.
	truth *span
}

// process is what one process of the traces did.
type process struct {
	name  string
	spans []*span
}

// facts sorts spans by their process, and finds which request caused each call. The
// starts of traces are moved together by a factor; durations stay.
func facts(traces []jaegerTrace, compress float64) []*process {
	first := int64(math.MaxInt64)
	for i := range traces {
		if len(traces[i].Spans) > 0 {
			first = min(first, begin(&traces[i]))
		}
	}
	processes := map[string]*process{}
	for i := range traces {
		t := &traces[i]
		since := begin(t) - first
		move := int64(float64(since)*1e3/compress) - since*1e3
		collect(processes, t, i, move)
	}
	all := make([]*process, 0, len(processes))
	for _, p := range processes {
		slices.SortStableFunc(p.spans, func(a, b *span) int {
			return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.trace, b.trace))
		})
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *process) int { return cmp.Compare(a.name, b.name) })
	return all
}

func begin(t *jaegerTrace) int64 {
	first := int64(math.MaxInt64)
	for _, s := range t.Spans {
		first = min(first, s.StartTime)
	}
	return first
}

// collect adds a trace's requests and calls to their processes.
func collect(processes map[string]*process, t *jaegerTrace, number int, move int64) {
	byID := make(map[string]*jaegerSpan, len(t.Spans))
	spans := make(map[string]*span, len(t.Spans))
	for i := range t.Spans {
		s := &t.Spans[i]
		byID[s.SpanID] = s
		if kind := find(s.Tags, "span.kind"); kind != "" && kind != "internal" {
			spans[s.SpanID] = &span{
				trace: number,
				name:  s.OperationName,
				start: s.StartTime*1e3 + move,
				end:   (s.StartTime+s.Duration)*1e3 + move,
				call:  kind == "client" || kind == "producer",
			}
		}
	}
	for i := range t.Spans {
		s := spans[t.Spans[i].SpanID]
		if s == nil {
			continue
		}
		name := identity(t.Processes[t.Spans[i].ProcessID])
		p := processes[name]
		if p == nil {
			p = &process{name: name}
			processes[name] = p
		}
		p.spans = append(p.spans, s)
		if s.call {
			s.name = find(t.Spans[i].Tags, "peer.service", "server.address", "net.peer.name", "peer.address") + " " + s.name
			s.truth = cause(t, byID, spans, &t.Spans[i])
		}
	}
}

// identity names a process by its service and host.
func identity(p jaegerProcess) string {
	return p.ServiceName + " " + find(p.Tags, "service.instance.id", "hostname", "host.name", "ip")
}

// cause finds the request that a call's references lead to within its process,
// through spans of other kinds.
func cause(t *jaegerTrace, byID map[string]*jaegerSpan, spans map[string]*span, call *jaegerSpan) *span {
	for s, depth := call, 0; depth < len(t.Spans); depth++ {
		if len(s.References) == 0 {
			return nil
		}
		parent := byID[s.References[0].SpanID]
		if parent == nil || parent.ProcessID != call.ProcessID {
			return nil
		}
		if found := spans[parent.SpanID]; found != nil && !found.call {
			return found
		}
		s = parent
	}
	return nil
}
