package causality

import "github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"

const (
	// mostNamed is the share of what is written from which on tasks write it, and the share of that from which on a
	// thread is that of their loop.
	mostNamed = 0.5
	// maxWrote is how much is remembered of whether tasks write: they are not read at first.
	maxWrote = 64
)

// loopTasks tells in which thread asyncio's tasks run. Which task runs is read from memory whoever writes, so that another
// thread seems to be one of the tasks that runs meanwhile.
type loopTasks struct {
	// written counts what was written of late, named that while a task ran.
	written, named int
	// byThread counts what each thread has written while a task ran, total is their sum.
	byThread map[uint32]int
	total    int
}

func (l *loopTasks) wrote(by capture.Task) {
	if l.written >= maxWrote {
		l.written, l.named = l.written/2, l.named/2
	}
	l.written++
	if by.Coroutine == 0 {
		return
	}
	l.named++
	if l.total >= maxHabits {
		l.halve()
	}
	if l.byThread == nil {
		l.byThread = make(map[uint32]int)
	}
	l.byThread[by.TID]++
	l.total++
}

func (l *loopTasks) halve() {
	l.total = 0
	for tid, n := range l.byThread {
		if n /= 2; n == 0 {
			delete(l.byThread, tid)
			continue
		}
		l.byThread[tid] = n
		l.total += n
	}
}

// most reports whether tasks write, and not threads.
func (l *loopTasks) most() bool {
	return l.named > 0 && float64(l.named) >= mostNamed*float64(l.written)
}

// runIn reports whether it is a task's own deed.
func (l *loopTasks) runIn(by capture.Task) bool {
	return by.Coroutine != 0 && float64(l.byThread[by.TID]) >= mostNamed*float64(l.total)
}
