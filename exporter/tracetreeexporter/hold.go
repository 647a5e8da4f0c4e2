package tracetreeexporter

import (
	"container/list"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// heldTrace is a trace whose spans may still come.
type heldTrace struct {
	id    pcommon.TraceID
	spans []span
	// last is when its last span came.
	last time.Time
}

// holder keeps traces in the order in which they were last added to.
type holder struct {
	traces map[pcommon.TraceID]*list.Element
	// quietest has the trace at its front that has been quiet for longest.
	quietest *list.List
	spans    int
}

func newHolder() *holder {
	return &holder{traces: map[pcommon.TraceID]*list.Element{}, quietest: list.New()}
}

func (h *holder) add(id pcommon.TraceID, s span, now time.Time) {
	element, ok := h.traces[id]
	if !ok {
		element = h.quietest.PushBack(&heldTrace{id: id})
		h.traces[id] = element
	}
	trace := element.Value.(*heldTrace)
	trace.spans = append(trace.spans, s)
	trace.last = now
	h.quietest.MoveToBack(element)
	h.spans++
}

// takeQuiet returns the trace that has been quiet for longest if that is since
// before or at deadline, else nil.
func (h *holder) takeQuiet(deadline time.Time) *heldTrace {
	front := h.quietest.Front()
	if front == nil || front.Value.(*heldTrace).last.After(deadline) {
		return nil
	}
	return h.take()
}

// take returns the trace that has been quiet for longest, or nil where none is held.
func (h *holder) take() *heldTrace {
	front := h.quietest.Front()
	if front == nil {
		return nil
	}
	trace := h.quietest.Remove(front).(*heldTrace)
	delete(h.traces, trace.id)
	h.spans -= len(trace.spans)
	return trace
}
