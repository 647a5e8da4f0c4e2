package main

import (
	"cmp"
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

// replay tells a process' events to the rung as they happened, and gives back what
// it decided and the time that it took for that.
var oracle, debug bool

func replay(p *process, options statistical.Options) ([]verdict, time.Duration) {
	model := statistical.NewModel()
	if oracle {
		replayWith(model, p, options, true)
	}
	return replayWith(model, p, options, false)
}

func replayWith(model *statistical.Model, p *process, options statistical.Options, exact bool) ([]verdict, time.Duration) {
	events := p.events()
	var decisions []statistical.Decision
	requests := make(map[*span]*statistical.Request, len(p.spans))
	calls := make(map[*span]*statistical.Call, len(p.spans))
	rung := statistical.NewProcess(model, options)
	begin := cpuTime()
	next := int64(0)
	for _, e := range events {
		if e.at >= next {
			decisions = append(decisions, rung.Decide(e.at)...)
			next = e.at + tick.Nanoseconds()
		}
		switch e.rank {
		case opens:
			r := rung.Opened(e.span.name, e.at)
			r.Owner = e.span
			requests[e.span] = r
		case begins:
			c := rung.Call(e.span.name, e.at)
			c.Owner = e.span
			calls[e.span] = c
		case ends:
			if exact {
				rung.Exact(calls[e.span], requests[e.span.truth])
			}
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
