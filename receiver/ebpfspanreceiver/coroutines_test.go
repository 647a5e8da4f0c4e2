package ebpfspanreceiver

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/discover/pyasyncio"
)

// coroutineReader notes whom it is told of.
type coroutineReader struct{ told []uint32 }

func (r *coroutineReader) ReadCoroutines(pid uint32, _ *capture.AsyncioRuntime) error {
	r.told = append(r.told, pid)
	return nil
}

type wantedCoroutines []uint32

func (w wantedCoroutines) WantsCoroutines() []uint32 { return w }

func TestCoroutinesAreAskedForOnce(t *testing.T) {
	var reader coroutineReader
	core, logs := observer.New(zap.DebugLevel)
	looked := 0
	c := &coroutines{
		reader: &reader, wanter: wantedCoroutines{7, 8, 9}, logger: zap.New(core), asked: make(map[uint32]struct{}),
		find: func(pid uint32) (*capture.AsyncioRuntime, error) {
			looked++
			switch pid {
			case 8:
				return nil, pyasyncio.ErrNotLoaded
			case 9:
				return nil, errors.New("no")
			}
			return &capture.AsyncioRuntime{}, nil
		},
	}
	c.tick()
	c.tick()
	assert.Equal(t, []uint32{7}, reader.told)
	assert.Equal(t, 3, looked)
	assert.Equal(t, 1, logs.FilterLevelExact(zap.WarnLevel).Len())
	assert.Equal(t, 2, logs.Len())
	for _, kind := range []capture.Kind{capture.Exec, capture.ProcessFound, capture.Exit} {
		c.event(&capture.Event{Kind: kind, Task: capture.Task{PID: 7}})
		c.tick()
	}
	assert.Equal(t, []uint32{7, 7, 7, 7}, reader.told)
	var none *coroutines
	none.event(&capture.Event{})
	none.tick()
}
