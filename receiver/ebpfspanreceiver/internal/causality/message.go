package causality

import "github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"

// Message implements protocol.Sink. What a loop does after it has read a message on an upgraded connection is due to that, and not to
// what it read before in the same turn: of that, nothing more is known than of a timer's.
func (l *Ladder) Message(by conn.Origin) {
	if p := l.processes[by.Task.PID]; p != nil {
		if t := p.threads[by.Task.TID]; t != nil {
			t.reacts.forgets()
		}
	}
}

// forgets lets what is done next rest on nothing that was read.
func (x *reacts) forgets() {
	if x.last != nil {
		x.learn(x.last)
		x.last = nil
	}
}
