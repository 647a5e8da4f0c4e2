package pyasyncio

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// sending sends a line over TCP in many ways, each with the address of the task that is to
// be seen, after a line from standard input.
const sending = `
import asyncio, socket, sys, threading
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
peer, _ = server.accept()

def send(name, task):
    client.sendall(f"{name} {0 if task is None else id(task)}\n".encode())

async def say(name, task):
    await asyncio.sleep(0)
    send(name, task)

kept = set()
def keep(coroutine):
    task = asyncio.ensure_future(coroutine)
    kept.add(task)
    task.add_done_callback(kept.discard)
    return task

async def nested(name, task):
    await asyncio.gather(asyncio.wait_for(say(name, task), 10), asyncio.sleep(0))

async def main():
    sys.stdin.readline()
    me = asyncio.current_task()
    send("direct", me)
    await asyncio.ensure_future(say("awaited", me))
    await asyncio.gather(*[say(f"gathered{n}", me) for n in range(3)])
    await asyncio.wait([asyncio.ensure_future(say("waited", me))])
    await asyncio.wait_for(say("limited", me), 10)
    await asyncio.shield(say("shielded", me))
    await keep(say("kept", me))
    await asyncio.wait([keep(say("kept-waited", me))])
    await asyncio.ensure_future(nested("nested", me))
    async def itself():
        send("detached", asyncio.current_task())
    task = keep(itself())
    await asyncio.sleep(0.01)
    if sys.version_info >= (3, 11):
        await eval("grouped")(me)
    done = asyncio.Event()
    asyncio.get_running_loop().call_soon(lambda: (send("callback", None), done.set()))
    await done.wait()
    # Dicts that have grown and lost entries.
    tasks = [asyncio.ensure_future(asyncio.sleep(0)) for _ in range(500)]
    await asyncio.gather(*tasks, say("many", me))
    for n in range(30):
        await asyncio.sleep(0)
        send(f"again{n}", me)

if sys.version_info >= (3, 11):
    exec("""
async def grouped(me):
    async with asyncio.TaskGroup() as group:
        group.create_task(say("in-group", me))
        group.create_task(nested("nested-in-group", me))
""")
asyncio.run(main())
# Another loop, in another thread, while the first is done.
async def other():
    send("thread", asyncio.current_task())
thread = threading.Thread(target=lambda: asyncio.run(other()))
thread.start()
thread.join()
print("done", flush=True)
sys.stdin.readline()
`

func TestKernelSeesTasks(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("this test needs root")
	}
	var losses loss.Counts
	k, err := capture.NewKernel(capture.KernelOptions{
		PayloadSize: 32 << 10, RingBufferSize: 1 << 20, Losses: &losses, Logger: zap.NewNop(),
	})
	require.NoError(t, err)
	defer func() { require.NoError(t, k.Close()) }()
	for _, python := range interpreters(t) {
		minor := minorVersion(t, python)
		if versions[minor].closure == 0 {
			continue
		}
		t.Run(strings.TrimPrefix(python, "/"), func(t *testing.T) {
			seen := sendingTasks(t, k, python)
			assert.Contains(t, seen, "thread")
			for name, s := range seen {
				assert.Equal(t, s.wanted, s.coroutine, name)
			}
		})
	}
}

type sent struct{ wanted, coroutine uint64 }

// sendingTasks returns what was seen of the lines that were sent, by their names.
func sendingTasks(t *testing.T, k *capture.Kernel, python string) map[string]sent {
	cmd := exec.Command(python, "-c", sending)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	pid := uint32(cmd.Process.Pid)
	defer k.Forget(pid)
	require.NoError(t, k.Trace(pid, nil))
	var found *capture.AsyncioRuntime
	require.Eventually(t, func() bool {
		found, err = Find(fmt.Sprintf("/proc/%d", pid))
		return err == nil
	}, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, k.ReadCoroutines(pid, found))
	seen := make(map[string]sent)
	ctx, cancel := context.WithCancel(t.Context())
	finished := make(chan error)
	go func() {
		finished <- k.Run(ctx, func(e *capture.Event) {
			if e == nil || e.Kind != capture.Send || e.Task.PID != pid {
				return
			}
			var name string
			var s sent
			if _, err := fmt.Sscan(string(e.Data), &name, &s.wanted); err == nil {
				s.coroutine = e.Task.Coroutine
				assert.Zero(t, e.Task.Goroutine)
				seen[name] = s
			}
		})
	}()
	_, err = in.Write([]byte("go\n"))
	require.NoError(t, err)
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "done\n", line)
	time.Sleep(100 * time.Millisecond)
	cancel()
	require.NoError(t, <-finished)
	require.NoError(t, in.Close())
	require.NoError(t, cmd.Wait())
	return seen
}
