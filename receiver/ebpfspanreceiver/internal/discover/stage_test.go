package discover

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// recorder is a Filter and a next stage that write down what they are told.
type recorder struct {
	calls []string
	err   error
}

func (r *recorder) note(format string, args ...any) {
	r.calls = append(r.calls, fmt.Sprintf(format, args...))
}

func (r *recorder) Trace(pid uint32, goRuntime *capture.GoRuntime) error {
	if goRuntime != nil {
		r.note("trace %d with goid at %d", pid, goRuntime.GoidOffset)
	} else {
		r.note("trace %d", pid)
	}
	return r.err
}

func (r *recorder) Ignore(pid uint32) error {
	r.note("ignore %d", pid)
	return r.err
}

func (r *recorder) Forget(pid uint32) { r.note("forget %d", pid) }

func (r *recorder) emit(e *capture.Event) {
	switch {
	case e == nil:
		r.note("nil")
	case e.Kind == capture.ProcessFound:
		r.note("found %d %s at %d", e.Process.PID, e.Process.Service, e.Time)
	default:
		r.note("event %d of %d", e.Kind, e.Task.PID)
	}
}

// take returns what was noted since the last call.
func (r *recorder) take() []string {
	calls := r.calls
	r.calls = nil
	return calls
}

// fakePods are the pods of a made-up node.
type fakePods struct {
	pods    map[string]*Pod
	changed []string
}

func (p *fakePods) Pod(uid string) *Pod { return p.pods[uid] }

func (p *fakePods) Changed() []string {
	changed := p.changed
	p.changed = nil
	return changed
}

func (p *fakePods) put(uid string, pod *Pod) {
	p.pods[uid] = pod
	p.changed = append(p.changed, uid)
}

type bench struct {
	*Stage
	recorder
	proc   fakeProc
	pods   fakePods
	losses loss.Counts
	logs   *observer.ObservedLogs
}

func newBench(t *testing.T, selection Selection) *bench {
	b := &bench{proc: newFakeProc(t)}
	core, logs := observer.New(zap.WarnLevel)
	b.pods.pods = make(map[string]*Pod)
	stage, err := NewStage(Options{
		Selection: selection, Proc: b.proc.Proc, Filter: &b.recorder, Pods: &b.pods, Losses: &b.losses, Logger: zap.New(core),
	})
	require.NoError(t, err)
	stage.now = func() time.Time { return time.Unix(0, 5) }
	b.Stage, b.logs = stage, logs
	return b
}

func (b *bench) send(e capture.Event) []string {
	b.Event(&e, b.emit)
	return b.take()
}

func of(kind capture.Kind, pid uint32) capture.Event {
	return capture.Event{Kind: kind, Time: 9, Task: capture.Task{PID: pid}}
}

func forked(pid, child uint32) capture.Event {
	e := of(capture.Fork, pid)
	e.Child = child
	return e
}

var traceMe = Selection{Include: Rules{Env: []string{"TRACE_ME"}}}

func service(name string) fakeProcess {
	return fakeProcess{comm: name, env: []string{"TRACE_ME=1", "SEQLINK_SERVICE=" + name}}
}

func TestScan(t *testing.T) {
	b := newBench(t, traceMe)
	b.proc.put(1, fakeProcess{comm: "init"})
	b.proc.put(10, service("orders"))
	b.proc.put(11, service("prices"))
	require.NoError(t, b.Scan(b.emit))
	assert.Equal(t, []string{"ignore 1", "trace 10", "found 10 orders at 5", "trace 11", "found 11 prices at 5"}, b.take())
	assert.Equal(t, []string{"event 1 of 10"}, b.send(of(capture.Send, 10)), "it is known already")
}

func TestScanFindsWhatForkedMeanwhile(t *testing.T) {
	b := newBench(t, traceMe)
	b.proc.put(10, service("orders"))
	require.NoError(t, b.Scan(func(e *capture.Event) {
		b.emit(e)
		if e.Task.PID < 12 {
			b.proc.put(e.Task.PID+1, service("orders"))
		}
	}))
	assert.Equal(t, []string{
		"trace 10", "found 10 orders at 5", "trace 11", "found 11 orders at 5", "trace 12", "found 12 orders at 5",
	}, b.take())
}

func TestScanIsBounded(t *testing.T) {
	b := newBench(t, Selection{All: true})
	b.proc.put(10, service("storm"))
	require.NoError(t, b.Scan(func(e *capture.Event) { b.proc.put(e.Task.PID+1, service("storm")) }))
	assert.Len(t, b.take(), scanRounds)
}

func TestScanWithoutProc(t *testing.T) {
	b := newBench(t, traceMe)
	require.NoError(t, os.RemoveAll(b.proc.Root))
	require.ErrorContains(t, b.Scan(b.emit), "list processes")
}

func TestForkInherits(t *testing.T) {
	b := newBench(t, traceMe)
	b.proc.put(10, service("orders"))
	b.proc.put(20, fakeProcess{comm: "sh"})
	require.NoError(t, b.Scan(b.emit))
	b.take()
	assert.Equal(t, []string{"found 11 orders at 9", "event 7 of 10"}, b.send(forked(10, 11)))
	assert.Equal(t, []string{"event 7 of 20"}, b.send(forked(20, 21)))
	assert.Equal(t, []string{"event 1 of 11"}, b.send(of(capture.Send, 11)), "known although /proc does not show it")
	assert.Empty(t, b.send(of(capture.Send, 21)))
	assert.Equal(t, []string{"event 7 of 99"}, b.send(forked(99, 100)), "of an unknown parent")
}

func TestExecDecidesAnew(t *testing.T) {
	b := newBench(t, traceMe)
	b.proc.put(10, fakeProcess{comm: "sh"})
	require.NoError(t, b.Scan(b.emit))
	b.take()

	b.proc.put(10, service("orders"))
	assert.Equal(t, []string{"trace 10", "found 10 orders at 9", "event 8 of 10"}, b.send(of(capture.Exec, 10)))
	b.proc.put(10, fakeProcess{comm: "sh"})
	assert.Equal(t, []string{"ignore 10", "event 9 of 10"}, b.send(of(capture.Exec, 10)), "the stages behind see it end")
	assert.Empty(t, b.send(of(capture.Send, 10)))
	b.proc.remove(10)
	assert.Empty(t, b.send(of(capture.Exec, 10)), "it has vanished")
}

// A server may fork its workers before the decision about it reaches the kernel.
func TestExecFindsChildrenForkedMeanwhile(t *testing.T) {
	b := newBench(t, traceMe)
	b.proc.put(10, fakeProcess{comm: "sh"})
	require.NoError(t, b.Scan(b.emit))
	b.take()
	b.proc.put(10, service("orders"))
	b.proc.put(11, service("orders"))
	assert.ElementsMatch(t, []string{
		"trace 10", "found 10 orders at 9", "trace 11", "found 11 orders at 5", "event 8 of 10",
	}, b.send(of(capture.Exec, 10)))
}

func TestExit(t *testing.T) {
	b := newBench(t, traceMe)
	b.proc.put(10, service("orders"))
	require.NoError(t, b.Scan(b.emit))
	b.take()
	assert.Equal(t, []string{"event 9 of 10", "forget 10"}, b.send(of(capture.Exit, 10)))
	b.proc.put(10, service("reused"))
	assert.Equal(t, []string{"trace 10", "found 10 reused at 9", "event 1 of 10"}, b.send(of(capture.Send, 10)))
}

func TestUnknownProcessIsLookedUpOnce(t *testing.T) {
	b := newBench(t, traceMe)
	b.proc.put(10, service("orders"))
	b.proc.put(20, fakeProcess{comm: "sh"})
	assert.Equal(t, []string{"trace 10", "found 10 orders at 9", "event 3 of 10"}, b.send(of(capture.Receive, 10)))
	assert.Equal(t, []string{"event 3 of 10"}, b.send(of(capture.Receive, 10)))
	assert.Equal(t, []string{"ignore 20"}, b.send(of(capture.Receive, 20)))
	assert.Empty(t, b.send(of(capture.Receive, 20)))
}

func TestVanishedProcessKeepsItsEvents(t *testing.T) {
	b := newBench(t, traceMe)
	assert.Equal(t, []string{"found 10 unknown_service at 9", "event 1 of 10"}, b.send(of(capture.Send, 10)))
	assert.Equal(t, []string{"event 3 of 10"}, b.send(of(capture.Receive, 10)))
}

func TestEventsOfNobody(t *testing.T) {
	b := newBench(t, traceMe)
	b.Event(nil, b.emit)
	assert.Equal(t, []string{"nil"}, b.take())
	assert.Equal(t, []string{"event 6 of 0"}, b.send(of(capture.Close, 0)))
}

func TestOwnProcessesAreNeverTraced(t *testing.T) {
	b := newBench(t, Selection{All: true})
	b.proc.setSelf(10)
	b.proc.put(10, service("collector"))
	child := service("child")
	child.parent = 10
	b.proc.put(11, child)
	require.NoError(t, b.Scan(b.emit))
	assert.Equal(t, []string{"ignore 10", "ignore 11"}, b.take())
}

func TestGoProgramIsTracedWithItsRuntime(t *testing.T) {
	own, err := os.Executable()
	require.NoError(t, err)
	b := newBench(t, traceMe)
	process := service("orders")
	process.exe = own
	b.proc.put(10, process)
	e := of(capture.Exec, 10)
	var found *capture.Process
	b.Event(&e, func(e *capture.Event) {
		if e.Process != nil {
			found = e.Process
		}
	})
	require.NotNil(t, found)
	assert.Equal(t, "go", found.Runtime)
	assert.Regexp(t, `^trace 10 with goid at \d+$`, b.take()[0])
	assert.Zero(t, b.losses.Get(loss.ProbeFailed))
}

func TestFilterErrorsAreReported(t *testing.T) {
	b := newBench(t, traceMe)
	b.err = errors.New("table full")
	b.proc.put(10, service("orders"))
	b.proc.put(20, fakeProcess{comm: "sh"})
	require.NoError(t, b.Scan(b.emit))
	assert.Equal(t, 1, b.logs.FilterMessageSnippet("Could not select").Len())
	assert.Equal(t, 1, b.logs.FilterMessageSnippet("Could not exclude").Len())
}

func TestBrokenResourceAttributesAreReported(t *testing.T) {
	b := newBench(t, traceMe)
	process := service("orders")
	process.env = append(process.env, "OTEL_RESOURCE_ATTRIBUTES=nonsense")
	b.proc.put(10, process)
	require.NoError(t, b.Scan(b.emit))
	assert.Equal(t, 1, b.logs.FilterMessageSnippet("resource attributes").Len())
	assert.Equal(t, []string{"trace 10", "found 10 orders at 5"}, b.take())
}

func TestSweepForgetsLostExits(t *testing.T) {
	b := newBench(t, traceMe)
	b.proc.put(1, service("stays"))
	reused := service("reused")
	reused.started = 1
	b.proc.put(2, reused)
	require.NoError(t, b.Scan(b.emit))
	reused.started = 2
	b.proc.put(2, reused)
	b.take()
	for child := uint32(10); child < 10+minimumProcesses; child++ {
		b.send(forked(1, child))
	}
	assert.Contains(t, b.known, uint32(1))
	assert.NotContains(t, b.known, uint32(2))
	assert.Less(t, len(b.known), 20)
}
