package ebpfspanreceiver

import (
	"errors"

	"go.uber.org/zap"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/discover"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/discover/pyasyncio"
)

// coroutineWanter says whose coroutines are wanted.
type coroutineWanter interface {
	WantsCoroutines() []uint32
}

// coroutines tells the kernel side where the processes that causality wants it of keep
// the tasks of Python's asyncio. It belongs to the pipeline's goroutine. nil does nothing:
// a replay has what it has.
type coroutines struct {
	reader capture.CoroutineReader
	wanter coroutineWanter
	// find looks into a process.
	find   func(pid uint32) (*capture.AsyncioRuntime, error)
	logger *zap.Logger
	// asked are the processes that were looked into, since their last exec.
	asked map[uint32]struct{}
}

func newCoroutines(reader capture.CoroutineReader, wanter coroutineWanter, proc discover.Proc, logger *zap.Logger) *coroutines {
	return &coroutines{
		reader: reader, wanter: wanter, logger: logger, asked: make(map[uint32]struct{}),
		find: func(pid uint32) (*capture.AsyncioRuntime, error) { return pyasyncio.Find(proc.Path(pid, "")) },
	}
}

// event forgets processes that end, run another program or are decided about anew.
func (c *coroutines) event(e *capture.Event) {
	if c == nil || len(c.asked) == 0 {
		return
	}
	switch e.Kind {
	case capture.Exec, capture.Exit, capture.ProcessFound:
		delete(c.asked, e.Task.PID)
	}
}

func (c *coroutines) tick() {
	if c == nil {
		return
	}
	for _, pid := range c.wanter.WantsCoroutines() {
		if _, ok := c.asked[pid]; !ok {
			c.asked[pid] = struct{}{}
			c.begin(pid)
		}
	}
}

func (c *coroutines) begin(pid uint32) {
	found, err := c.find(pid)
	if err == nil {
		err = c.reader.ReadCoroutines(pid, found)
	}
	if err == nil {
		return
	}
	// Other evidence decides then, as it does for other runtimes.
	level := zap.WarnLevel
	if errors.Is(err, pyasyncio.ErrNotLoaded) || errors.Is(err, pyasyncio.ErrUnsupported) {
		level = zap.DebugLevel
	}
	c.logger.Log(level, "The tasks of a Python process cannot be told apart; its calls are linked by weaker evidence.",
		zap.Uint32("pid", pid), zap.Error(err))
}
