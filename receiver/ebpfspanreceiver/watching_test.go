package ebpfspanreceiver

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/zap"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
)

// watcher notes what it is asked for, and refuses one process.
type watcher struct {
	asked  []string
	refuse uint32
}

func (w *watcher) WatchWakes(pid uint32, on bool) error {
	w.asked = append(w.asked, fmt.Sprint(pid, on))
	if pid == w.refuse {
		return errors.ErrUnsupported
	}
	return nil
}

type wanter map[uint32]bool

func (w wanter) WantsWakes() map[uint32]bool { return w }

func TestWatchingFollowsWhatIsWanted(t *testing.T) {
	pid := func(kind capture.Kind, pid uint32) *capture.Event {
		return &capture.Event{Kind: kind, Task: capture.Task{PID: pid}}
	}
	fork := func(parent, child uint32) *capture.Event {
		return &capture.Event{Kind: capture.Fork, Task: capture.Task{PID: parent}, Child: child}
	}
	for name, tt := range map[string]struct {
		// steps are events, or what is wanted from then on; each is followed by a tick.
		steps []any
		want  []string
	}{
		"nothing":                       {[]any{wanter{}, wanter{1: false}, fork(1, 2)}, nil},
		"once":                          {[]any{wanter{1: true}, wanter{1: true}}, []string{"1 true"}},
		"on and off":                    {[]any{wanter{1: true}, wanter{1: false}, wanter{}, wanter{1: true}}, []string{"1 true", "1 false", "1 true"}},
		"a child that is not wanted":    {[]any{wanter{1: true}, fork(1, 2)}, []string{"1 true", "2 false"}},
		"a child of one that is not":    {[]any{wanter{1: true}, fork(3, 4)}, []string{"1 true"}},
		"a child that is wanted":        {[]any{wanter{1: true, 2: true}, pid(capture.ProcessFound, 2), fork(1, 2)}, []string{"1 true", "2 true", "2 true", "2 true"}},
		"another program":               {[]any{wanter{1: true}, pid(capture.Exec, 1)}, []string{"1 true", "1 true"}},
		"ended":                         {[]any{wanter{1: true}, wanter{}, pid(capture.Exit, 1)}, []string{"1 true", "1 false"}},
		"refused":                       {[]any{wanter{9: true}, wanter{}, wanter{9: true}}, []string{"9 true"}},
		"a child of one that refused":   {[]any{wanter{9: true}, fork(9, 10)}, []string{"9 true"}},
		"refused, then another program": {[]any{wanter{9: true}, pid(capture.ProcessFound, 9)}, []string{"9 true", "9 true"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := &watcher{refuse: 9}
			watching := newWatching(w, wanter{}, zap.NewNop())
			for _, step := range tt.steps {
				switch s := step.(type) {
				case wanter:
					watching.wanter = s
				case *capture.Event:
					watching.event(s)
				}
				watching.tick()
			}
			// Processes that are wanted at once are asked for in no order.
			assert.ElementsMatch(t, tt.want, w.asked)
		})
	}
}

// The pipeline keeps the watch: as soon as causality wants wake-ups, they are asked for.
func TestPipelineWatchesWhatCausalityWants(t *testing.T) {
	p := newTestPipeline(t)
	w := &watcher{}
	p.watching = newWatching(w, wanter{7: true}, zap.NewNop())
	events := exchangeEvents(1e18)
	for i := range events {
		p.event(&events[i])
	}
	assert.Equal(t, []string{"7 true"}, w.asked)
	p.event(&capture.Event{Kind: capture.Exit, Time: 2e18, Task: capture.Task{PID: 7}})
	assert.Equal(t, []string{"7 true", "7 true"}, w.asked)
}
