package causality

import "github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"

// WantsWakes returns the processes whose calls cannot be decided without knowing which of
// their tasks woke which: the kernel side is asked for that as long as it lasts. The
// result is the stage's own and valid until the next call.
func (l *Ladder) WantsWakes() map[uint32]bool { return nil }

// Wake implements protocol.Sink. No rung uses it.
func (l *Ladder) Wake(conn.Wake) {}
