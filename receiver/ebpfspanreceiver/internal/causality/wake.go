package causality

import "github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"

// WantsWakes returns the processes whose calls cannot be decided without knowing which of
// their tasks woke which: the kernel side is asked for that as long as it lasts. The
// result is the stage's own and valid until the next call.
func (l *Ladder) WantsWakes() map[uint32]bool {
	clear(l.wanted)
	for pid, p := range l.processes {
		if max(p.handoff.wanted, p.sharing.wanted) > l.now && !p.withoutGoroutines {
			l.wanted[pid] = true
		}
	}
	return l.wanted
}

// Wake implements protocol.Sink.
func (l *Ladder) Wake(w conn.Wake) {
	p := l.process(w.Waker.Task.PID)
	p.calls = true // wake-ups are asked for because of calls
	p.handoff.woke(w)
	if p.writers.shared() && w.Futex != 0 {
		p.writers.woke(w, p.handoff.locks.futex(w.Futex))
	}
	waker := p.handoff.known(actorOf(w.Waker.Task))
	// Who works on a request waits for its results, and an attendant hands them to who asked.
	p.sharing.woke(w, waker != nil && (len(waker.reading) > 0 || waker.attendant))
}
