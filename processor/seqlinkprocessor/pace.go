package seqlinkprocessor // import "github.com/seqlink/seqlink/processor/seqlinkprocessor"

import (
	"sync/atomic"
	"time"
)

const (
	// maxLag is how far flushing may fall behind before senders are held up.
	maxLag = 250 * time.Millisecond
	// maxHoldUp is how long one write is held up at most.
	maxHoldUp = time.Second
	// maxFlush is how long handing over one batch takes at most where only the machine
	// is busy. When it takes longer the next consumer does not take spans, and waiting
	// spans are what the store is for.
	maxFlush  = 500 * time.Millisecond
	paceSleep = 2 * time.Millisecond
)

// pace holds up senders while spans leave more slowly than they come because the
// machine is busy. Without it a busy linker would take ever more spans and let ever
// fewer leave. The zero value is ready.
type pace struct {
	// lag is how long the last batch that left had waited beyond its window, in
	// nanoseconds.
	lag atomic.Int64
	// flushing is when the flush of the current batch began, in Unix nanoseconds; 0 when
	// none is under way.
	flushing atomic.Int64
}

func (p *pace) begin()                 { p.flushing.Store(time.Now().UnixNano()) }
func (p *pace) left(lag time.Duration) { p.lag.Store(int64(lag)) }
func (p *pace) end()                   { p.flushing.Store(0) }

// behind tells whether flushing is behind and going on.
func (p *pace) behind() bool {
	began := p.flushing.Load()
	return began != 0 && time.Duration(p.lag.Load()) > maxLag && time.Since(time.Unix(0, began)) < maxFlush
}

// wait returns when flushing has caught up, or after a while.
func (p *pace) wait() {
	for waited := time.Duration(0); waited < maxHoldUp && p.behind(); waited += paceSleep {
		time.Sleep(paceSleep)
	}
}
