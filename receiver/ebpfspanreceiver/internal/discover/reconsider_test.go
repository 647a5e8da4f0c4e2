package discover

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/capture"
)

func listening(pid uint32, port uint16) capture.Event {
	e := of(capture.Listen, pid)
	e.Local = netip.AddrPortFrom(netip.IPv4Unspecified(), port)
	return e
}

var atPort8080 = Selection{Include: Rules{Ports: []PortRange{{8080, 8080}}}}

func TestListenSelects(t *testing.T) {
	b := newBench(t, atPort8080)
	b.proc.put(10, service("orders"))
	require.NoError(t, b.Scan(b.emit))
	assert.Equal(t, []string{"ignore 10"}, b.take())
	assert.Empty(t, b.send(listening(10, 9090)), "nobody asks for that port")
	// Its socket is not in /proc yet.
	assert.Equal(t, []string{"trace 10", "found 10 orders at 9"}, b.send(listening(10, 8080)))
	assert.Empty(t, b.send(listening(10, 8080)), "it is traced already")
	assert.Equal(t, []string{"event 1 of 10"}, b.send(of(capture.Send, 10)))
	assert.Empty(t, b.send(listening(11, 8080)), "it has vanished")
}

func TestListenOfAnUnknownProcess(t *testing.T) {
	b := newBench(t, atPort8080)
	b.proc.put(10, service("orders"))
	assert.Equal(t, []string{"trace 10", "found 10 orders at 9"}, b.send(listening(10, 8080)))
}

// A server forks its workers before the decision about it reaches the kernel.
func TestListenFindsWorkersForkedMeanwhile(t *testing.T) {
	b := newBench(t, atPort8080)
	b.proc.put(10, service("orders"))
	require.NoError(t, b.Scan(b.emit))
	b.take()
	for _, pid := range []uint32{11, 12} {
		b.proc.put(pid, service("orders"))
	}
	b.proc.listen(11, "1", "socket:[101]")
	assert.ElementsMatch(t, []string{"trace 10", "found 10 orders at 9", "trace 11", "found 11 orders at 5", "ignore 12"},
		b.send(listening(10, 8080)))
}

func TestListenersAreFoundAtTheStart(t *testing.T) {
	b := newBench(t, atPort8080)
	b.proc.put(10, service("orders"))
	b.proc.listen(10, "1", "socket:[101]")
	b.proc.put(11, service("prices"))
	b.proc.listen(11, "1", "socket:[102]")
	require.NoError(t, b.Scan(b.emit))
	assert.Equal(t, []string{"trace 10", "found 10 orders at 5", "ignore 11"}, b.take())
}

func TestListenExcludes(t *testing.T) {
	b := newBench(t, Selection{All: true, Exclude: Rules{Ports: []PortRange{{22, 22}}}})
	b.proc.put(10, service("sshd"))
	require.NoError(t, b.Scan(b.emit))
	b.take()
	assert.Empty(t, b.send(listening(10, 80)))
	assert.Equal(t, []string{"ignore 10", "event 9 of 10"}, b.send(listening(10, 22)), "the stages behind see it end")
	assert.Empty(t, b.send(of(capture.Send, 10)))
}

const podUID = "8e4f1b2c-9d3a-4c5e-8f7a-0b1c2d3e4f5a"

func inPod(f fakeProcess) fakeProcess {
	f.cgroup = "0::/kubepods/burstable/pod" + podUID + "/x\n"
	return f
}

// What is known of a pod may come after its processes, and change.
func TestPodsChange(t *testing.T) {
	b := newBench(t, Selection{Include: Rules{Pods: podSelector(t, "app=orders")}})
	b.proc.put(10, inPod(service("orders")))
	b.proc.put(11, service("elsewhere"))
	require.NoError(t, b.Scan(b.emit))
	assert.Equal(t, []string{"ignore 10", "ignore 11"}, b.take())
	tick := func() []string {
		b.Event(nil, b.emit)
		return b.take()
	}
	assert.Equal(t, []string{"nil"}, tick())
	b.pods.put(podUID, &Pod{Name: "orders-1", Labels: map[string]string{"app": "orders"}})
	assert.Equal(t, []string{"trace 10", "found 10 orders at 5", "nil"}, tick())
	b.pods.put(podUID, &Pod{Name: "orders-1", Labels: map[string]string{"app": "orders", "version": "2"}})
	assert.Equal(t, []string{"nil"}, tick(), "it is still selected")
	b.send(forked(10, 12))
	b.proc.put(12, inPod(service("orders")))
	b.pods.put(podUID, &Pod{Name: "orders-1", Labels: map[string]string{"app": "other"}})
	assert.Equal(t, []string{"ignore 10", "event 9 of 10", "ignore 12", "event 9 of 12", "nil"}, tick())
	assert.Empty(t, b.send(of(capture.Send, 10)))
}

// A process that a traced one started may run another program and end before /proc is
// read.
func TestExecOfAShortLivedProcess(t *testing.T) {
	b := newBench(t, traceMe)
	b.proc.put(10, fakeProcess{comm: "sh", env: []string{"TRACE_ME=1", "SEQLINK_SERVICE=jobs"}})
	b.proc.put(20, fakeProcess{comm: "sh", env: []string{"TRACE_ME=1"}})
	require.NoError(t, b.Scan(b.emit))
	b.send(forked(10, 11))
	b.send(forked(20, 21))
	assert.Equal(t, []string{"found 11 jobs at 9", "event 8 of 11"}, b.send(of(capture.Exec, 11)))
	assert.Equal(t, []string{"event 1 of 11"}, b.send(of(capture.Send, 11)))
	assert.Equal(t, []string{"found 21 unknown_service at 9", "event 8 of 21"}, b.send(of(capture.Exec, 21)),
		"the name of the service was that of another program")
	assert.Empty(t, b.known[21].process.Executable)
}
