package main

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"syscall"
	"time"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/causality/statistical"
)

// tick is how often a replay asks for decisions, in the traces' time.
const tick = 50 * time.Millisecond

// event is the begin or the end of a span.
type event struct {
	at   int64
	rank int
	span *span
}

// The order of events of the same time: what begins does so before what it holds.
const (
	opens = iota
	begins
	ends
	closes
)

func (p *process) events() []event {
	events := make([]event, 0, 2*len(p.spans))
	for _, s := range p.spans {
		if s.call {
			events = append(events, event{s.start, begins, s}, event{s.end, ends, s})
		} else {
			events = append(events, event{s.start, opens, s}, event{s.end, closes, s})
		}
	}
	slices.SortStableFunc(events, func(a, b event) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.rank, b.rank))
	})
	return events
}

// verdict is a decision in terms of spans.
type verdict struct {
	call, parent *span
	confidence   float64
}

// replayer says how traces are replayed.
type replayer struct {
	// exact is the share of the links that the rung is told.
	exact   float64
	options statistical.Options
}

// told reports whether the rung is told what caused a call. It is always the same calls.
func (r replayer) told(call *span) bool {
	h := fnv.New32a()
	fmt.Fprint(h, call.trace, call.name, call.end-call.start)
	return float64(h.Sum32()) < r.exact*math.MaxUint32
}

// replay tells a process' events to the rung as they happened, and gives back what
// it decided and the time of processors that it took for that.
func (r replayer) replay(p *process) ([]verdict, time.Duration) {
	events := p.events()
	var decisions []statistical.Decision
	requests := make(map[*span]*statistical.Request, len(p.spans))
	calls := make(map[*span]*statistical.Call, len(p.spans))
	rung := statistical.NewProcess(statistical.NewModel(), r.options)
	begin := cpuTime()
	next := int64(0)
	for _, e := range events {
		if e.at >= next {
			decisions = append(decisions, rung.Decide(e.at)...)
			next = e.at + tick.Nanoseconds()
		}
		switch e.rank {
		case opens:
			requests[e.span] = rung.Opened(e.span.name, e.at)
			requests[e.span].Owner = e.span
		case begins:
			calls[e.span] = rung.Call(e.span.name, e.at)
			calls[e.span].Owner = e.span
			if r.told(e.span) {
				rung.Exact(calls[e.span], requests[e.span.truth])
			}
		case ends:
			rung.Ended(calls[e.span], e.at)
		case closes:
			rung.Closed(requests[e.span], e.at)
		}
	}
	decisions = append(decisions, rung.Flush()...)
	took := cpuTime() - begin
	verdicts := make([]verdict, len(decisions))
	for i, d := range decisions {
		verdicts[i] = verdict{call: d.Call.Owner.(*span), confidence: d.Confidence}
		if d.Parent != nil {
			verdicts[i].parent = d.Parent.Owner.(*span)
		}
	}
	return verdicts, took
}

// cpuTime is the time that this program has spent on processors.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
