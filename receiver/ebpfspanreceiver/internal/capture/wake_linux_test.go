package capture

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/bpf"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/discover/goexe"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// waking is a child in which, when it is told to, one task wakes another one.
type waking struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
	// waker and woken are threads or goroutines, futex is 0 where it is none.
	waker, woken, futex uint64
}

// startWaking starts it; in the end k forgets it.
func startWaking(t *testing.T, k *Kernel, name string) *waking {
	w := &waking{t: t, cmd: exec.Command("/proc/self/exe")}
	w.cmd.Env = append(os.Environ(), wakingVariable+"="+name, "GODEBUG=asyncpreemptoff=1")
	w.cmd.Stderr = os.Stderr
	var err error
	w.in, err = w.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := w.cmd.StdoutPipe()
	require.NoError(t, err)
	w.out = bufio.NewScanner(out)
	require.NoError(t, w.cmd.Start())
	t.Cleanup(func() {
		_ = w.in.Close()
		_ = w.cmd.Wait()
		k.Forget(w.pid())
	})
	if !w.out.Scan() {
		w.unsupported()
	}
	names := strings.Fields(w.out.Text())
	require.Len(t, names, 3, w.out.Text())
	w.waker, w.woken, w.futex = number(names[0]), number(names[1]), number(names[2])
	return w
}

func (w *waking) pid() uint32 { return uint32(w.cmd.Process.Pid) }

// unsupported ends the test where this kernel does not have what the child tried.
func (w *waking) unsupported() {
	err := w.cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == exitUnsupported {
		w.t.Skip("this kernel does not let it")
	}
	require.NoError(w.t, err)
	w.t.Fatal("the child said nothing")
}

// run lets it happen and returns who was seen to wake whom.
func (w *waking) run(k *Kernel) []Event {
	return ofKind(collect(w.t, k, w.pid(), func() {
		_, err := io.WriteString(w.in, "\n1234567")
		require.NoError(w.t, err)
		if !w.out.Scan() {
			w.unsupported()
		}
		require.Equal(w.t, "done", w.out.Text())
	}), Wake)
}

// ours returns those of the wake-ups that are the child's and not of Go's runtime, which
// wakes threads by futexes of its own.
func (w *waking) ours(events []Event) (found []Event) {
	for _, e := range events {
		if e.Futex == w.futex && (uint64(e.Woken.TID) == w.woken || e.Woken.Goroutine == w.woken) {
			found = append(found, e)
		}
	}
	return found
}

func TestKernelSeesThreadsWake(t *testing.T) {
	k, losses := testKernel(t)
	for name := range threadWakes {
		t.Run(name, func(t *testing.T) {
			w := startWaking(t, k, name)
			require.NoError(t, k.Trace(w.pid(), nil))
			require.NoError(t, k.WatchWakes(w.pid(), true))
			before := time.Now().UnixNano()
			events := w.ours(w.run(k))
			if name == "connection" || name == "other" {
				assert.Empty(t, events)
				return
			}
			require.Len(t, events, 1)
			e := events[0]
			assert.Equal(t, Task{PID: w.pid(), TID: uint32(w.waker)}, e.Task)
			assert.Equal(t, Task{PID: w.pid(), TID: uint32(w.woken)}, e.Woken)
			assert.Equal(t, w.futex, e.Futex)
			assert.Greater(t, e.Time, before-int64(time.Millisecond))
			assert.Less(t, e.Time, time.Now().UnixNano())
			assert.Zero(t, losses.Get(loss.RingBufferFull))
		})
	}
}

func TestKernelSeesGoroutinesWake(t *testing.T) {
	k, losses := testKernel(t)
	for name := range goroutineWakes {
		t.Run(name, func(t *testing.T) {
			w := startWaking(t, k, name)
			require.NoError(t, k.Trace(w.pid(), ownRuntime(t)))
			require.NoError(t, k.WatchWakes(w.pid(), true))
			assert.Nil(t, k.wakes.tracepoint, "threads of Go say nothing")
			events := w.ours(w.run(k))
			if name == "timer" || name == "poller" {
				assert.Empty(t, events)
				return
			}
			require.Len(t, events, 1)
			e := events[0]
			assert.NotZero(t, e.Task.TID)
			assert.Equal(t, Task{PID: w.pid(), TID: e.Task.TID, Goroutine: w.waker, ParentGoroutine: 1}, e.Task)
			assert.Equal(t, Task{PID: w.pid(), Goroutine: w.woken, ParentGoroutine: 1}, e.Woken)
			assert.Zero(t, e.Futex)
			assert.Zero(t, losses.Get(loss.RingBufferFull))
		})
	}
}

// ownRuntime is that of this program, which the children run as well.
func ownRuntime(t *testing.T) *GoRuntime {
	file, err := os.Open("/proc/self/exe")
	require.NoError(t, err)
	defer file.Close()
	program, err := goexe.Read(file)
	if program != nil && program.Goroutine == nil {
		t.Skip("goroutines are not known here:", err)
	}
	require.NoError(t, err)
	return &GoRuntime{
		GOffset:    int32(program.Goroutine.TLSOffset),
		GoidOffset: uint16(program.Goroutine.Goid), ParentGoidOffset: uint16(program.Goroutine.ParentGoid),
		Ready: program.Ready.FileOffset, MOffset: uint16(program.Ready.M), CurgOffset: uint16(program.Ready.Curg),
	}
}

// Nobody pays for wake-ups that nobody asks for.
func TestKernelWatchesWakesOnDemand(t *testing.T) {
	k, _ := testKernel(t)
	for name, goRuntime := range map[string]*GoRuntime{"futex": nil, "channel": ownRuntime(t)} {
		t.Run(name+", not asked for", func(t *testing.T) {
			w := startWaking(t, k, name)
			require.NoError(t, k.Trace(w.pid(), goRuntime))
			assert.Empty(t, w.run(k))
		})
		t.Run(name+", not any more", func(t *testing.T) {
			w := startWaking(t, k, name)
			require.NoError(t, k.Trace(w.pid(), goRuntime))
			require.NoError(t, k.WatchWakes(w.pid(), true))
			require.NoError(t, k.WatchWakes(w.pid(), false))
			assert.Nil(t, k.wakes.tracepoint)
			assert.Empty(t, k.wakes.goroutines)
			assert.Empty(t, w.run(k))
		})
		t.Run(name+", of another process", func(t *testing.T) {
			w, other := startWaking(t, k, name), startWaking(t, k, name)
			require.NoError(t, k.Trace(w.pid(), goRuntime))
			require.NoError(t, k.Trace(other.pid(), goRuntime))
			require.NoError(t, k.WatchWakes(other.pid(), true))
			assert.Empty(t, w.run(k))
			require.NoError(t, k.Ignore(other.pid()))
			assert.Nil(t, k.wakes.tracepoint)
			assert.Empty(t, k.wakes.goroutines)
		})
		t.Run(name+", decided about anew", func(t *testing.T) {
			w := startWaking(t, k, name)
			require.NoError(t, k.Trace(w.pid(), goRuntime))
			require.NoError(t, k.WatchWakes(w.pid(), true))
			require.NoError(t, k.Trace(w.pid(), goRuntime))
			assert.Empty(t, w.run(k))
		})
	}
	t.Run("of a process that has ended", func(t *testing.T) {
		require.NoError(t, k.WatchWakes(1<<30, true))
		require.NoError(t, k.WatchWakes(1<<30, false))
	})
	t.Run("without runtime.ready", func(t *testing.T) {
		w := startWaking(t, k, "channel")
		unknown := *ownRuntime(t)
		unknown.Ready = 0
		require.NoError(t, k.Trace(w.pid(), &unknown))
		require.ErrorIs(t, k.WatchWakes(w.pid(), true), errors.ErrUnsupported)
		assert.Empty(t, w.run(k))
	})
	t.Run("without the hook", func(t *testing.T) {
		w := startWaking(t, k, "futex")
		require.NoError(t, k.Trace(w.pid(), nil))
		threads := k.programs.wakes.threads
		k.programs.wakes.threads = nil
		require.ErrorIs(t, k.WatchWakes(w.pid(), true), errors.ErrUnsupported)
		k.programs.wakes.threads = threads
		assert.Empty(t, w.run(k))
	})
}

// A child is watched as its parent is, until it runs another program.
func TestWakesAreInherited(t *testing.T) {
	cmd := exec.Command("sh", "-c", "read a; (read b; exec cat); true")
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	k, _ := testKernel(t)
	pid := uint32(cmd.Process.Pid)
	defer k.Forget(pid)
	require.NoError(t, k.Trace(pid, nil))
	require.NoError(t, k.WatchWakes(pid, true))
	var child uint32
	forked := func() bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		child = uint32(number(strings.TrimSpace(string(text))))
		return err == nil && child != 0
	}
	flags := func() uint32 {
		var p bpf.TCPProcess
		_ = k.programs.processes.Lookup(child, &p)
		return p.Flags
	}
	_, err = io.WriteString(in, "\n")
	require.NoError(t, err)
	require.Eventually(t, forked, 20*time.Second, time.Millisecond)
	assert.EqualValues(t, processTraced|processWakes, flags())
	_, err = io.WriteString(in, "\n")
	require.NoError(t, err)
	assert.Eventually(t, func() bool { return flags() == processTraced }, 20*time.Second, time.Millisecond)
	require.NoError(t, in.Close())
	require.NoError(t, cmd.Wait())
}

// startsThread is a program that starts a thread when it is told to, and says which.
const startsThread = `
import threading
print("ready", flush=True)
input()
started = []
thread = threading.Thread(target=lambda: started.append(threading.get_native_id()))
thread.start()
thread.join()
print(*started, flush=True)
input()
`

func TestStartOfAThreadIsSeen(t *testing.T) {
	cmd := exec.Command("python3", "-c", startsThread)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	said := bufio.NewScanner(out)
	require.True(t, said.Scan(), "its exec is over")
	k, _ := testKernel(t)
	pid := uint32(cmd.Process.Pid)
	defer func() {
		_ = in.Close()
		_ = cmd.Wait()
		k.Forget(pid)
	}()
	require.NoError(t, k.Trace(pid, nil))
	require.NoError(t, k.WatchWakes(pid, true))
	var started uint32
	events := ofKind(collect(t, k, pid, func() {
		_, err := io.WriteString(in, "\n")
		require.NoError(t, err)
		require.True(t, said.Scan())
		started = uint32(number(said.Text()))
	}), Wake)
	var starts []Event
	for _, e := range events {
		if e.Woken.TID == started && e.Futex == 0 {
			starts = append(starts, e)
		}
	}
	require.Len(t, starts, 1)
	assert.Equal(t, Task{PID: pid, TID: pid}, starts[0].Task)
}
