package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"errors"
	"fmt"
)

// errNoRoom says that spans cannot be taken now.
var errNoRoom = errors.New("no room for more spans now; try again later")

const mib = 1 << 20

// makeRoom tells whether a batch of this size may be stored. Where memory or disk are
// used up, names of traces that left are forgotten before senders are refused.
func (l *linker) makeRoom(bytes int) error {
	for {
		err := l.checkRoom(bytes)
		if err == nil || !l.forgetOldest() {
			return err
		}
	}
}

func (l *linker) checkRoom(bytes int) error {
	if limit := int64(l.cfg.MaxMemoryMiB) * mib; limit > 0 {
		if used := l.memoryBytes(); used+int64(bytes) > limit {
			return fmt.Errorf("%w: %d MiB of memory are used, max_memory_mib is %d", errNoRoom, used/mib, l.cfg.MaxMemoryMiB)
		}
	}
	if limit := int64(l.cfg.MaxDiskMiB) * mib; limit > 0 {
		if used := l.store.diskBytes(); used+int64(bytes) > limit {
			return fmt.Errorf("%w: %d MiB of disk are used, max_disk_mib is %d", errNoRoom, used/mib, l.cfg.MaxDiskMiB)
		}
	}
	return nil
}

func (l *linker) memoryBytes() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(l.index.bytes()) + l.store.memoryBytes()
}

// forgetOldest forgets the names of the batch that left first, before the retention
// is over, and tells whether there was one.
func (l *linker) forgetOldest() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.left) == 0 {
		return false
	}
	before := l.index.known
	l.forgetFirst()
	add(l.telemetry.ProcessorSeqlinkSpansForgotten, before-l.index.known)
	return true
}
