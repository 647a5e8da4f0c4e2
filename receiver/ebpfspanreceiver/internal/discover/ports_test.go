package discover

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParsePortRange(t *testing.T) {
	for text, want := range map[string]PortRange{"80": {80, 80}, "8000-8099": {8000, 8099}, "1 - 65535": {1, 65535}, "7-7": {7, 7}} {
		got, err := ParsePortRange(text)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	for _, text := range []string{"", "0", "65536", "-1", "http", "90-80", "80-", "-80", "1-2-3", "0-5"} {
		_, err := ParsePortRange(text)
		require.ErrorContains(t, err, `"`+text+`"`)
		require.ErrorContains(t, err, "1 to 65535")
	}
}

const (
	tableHeading = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	// tableOf has two sockets that listen, at 8080 and 22, and a connection.
	tableOf = tableHeading +
		"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 101 1 ffff 100 0 0 10 0\n" +
		"   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 102 1 ffff 100 0 0 10 0\n" +
		"   2: 0100007F:1F90 0100007F:C000 01 00000000:00000000 00:00000000 00000000  1000        0 103 1 ffff 20 4 30 10 -1\n" +
		"   3: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 104 1 ffff 100 0 0 10 0\n"
	tableOf6 = tableHeading +
		"   0: 00000000000000000000000000000000:01BB 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 105 1 ffff 100 0 0 10 0\n"
)

// listen gives a process a network namespace and descriptors.
func (p fakeProc) listen(pid uint32, namespace string, descriptors ...string) {
	for _, folder := range []string{"net", "ns", "fd"} {
		require.NoError(p.t, os.MkdirAll(p.Path(pid, folder), 0o755))
	}
	p.write(pid, "net/tcp", tableOf)
	p.write(pid, "net/tcp6", tableOf6)
	require.NoError(p.t, os.Symlink("net:["+namespace+"]", p.Path(pid, "ns/net")))
	for i, target := range descriptors {
		require.NoError(p.t, os.Symlink(target, filepath.Join(p.Path(pid, "fd"), string(rune('0'+i)))))
	}
}

func anyPort(uint16) bool { return true }

func TestListeners(t *testing.T) {
	proc := newFakeProc(t)
	for pid, sockets := range map[uint32][]string{
		7: {"/dev/null", "socket:[105]", "socket:[101]", "socket:[101]", "pipe:[102]"},
		8: {"socket:[103]", "socket:[104]"}, // neither is among those that listen
	} {
		proc.put(pid, fakeProcess{comm: "x"})
		proc.listen(pid, "1", sockets...)
	}
	l := newListeners(proc.Proc, anyPort)
	ports, err := l.ports(7)
	require.NoError(t, err)
	assert.Equal(t, []uint16{443, 8080}, ports)
	ports, err = l.ports(8)
	require.NoError(t, err)
	assert.Empty(t, ports, "a connection; and one behind the connections, where the kernel shows none that listens")

	ports, err = newListeners(proc.Proc, func(p uint16) bool { return p == 22 || p == 8080 }).ports(7)
	require.NoError(t, err)
	assert.Equal(t, []uint16{8080}, ports, "only what is wanted")
}

func TestListenersOfAnotherNamespace(t *testing.T) {
	proc := newFakeProc(t)
	for pid, namespace := range map[uint32]string{7: "1", 8: "2"} {
		proc.put(pid, fakeProcess{comm: "x"})
		proc.listen(pid, namespace, "socket:[101]")
	}
	proc.write(8, "net/tcp", tableHeading)
	l := newListeners(proc.Proc, anyPort)
	for pid, want := range map[uint32]int{7: 1, 8: 0} {
		ports, err := l.ports(pid)
		require.NoError(t, err)
		assert.Len(t, ports, want, pid)
	}
}

func TestListenersWithoutIPv6(t *testing.T) {
	proc := newFakeProc(t)
	proc.put(7, fakeProcess{comm: "x"})
	proc.listen(7, "1", "socket:[105]", "socket:[101]")
	require.NoError(t, os.Remove(proc.Path(7, "net/tcp6")))
	ports, err := newListeners(proc.Proc, anyPort).ports(7)
	require.NoError(t, err)
	assert.Equal(t, []uint16{8080}, ports)
}

func TestListenersReal(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("no /proc here")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	port := uint16(listener.Addr().(*net.TCPAddr).Port)
	l := newListeners(Proc{}, func(p uint16) bool { return p == port })
	ports, err := l.ports(uint32(os.Getpid()))
	require.NoError(t, err)
	assert.Equal(t, []uint16{port}, ports)
	ports, err = l.ports(uint32(os.Getppid()))
	require.NoError(t, err)
	assert.Empty(t, ports)
}

func FuzzParseSocket(f *testing.F) {
	for line := range strings.Lines(tableOf) {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		if _, _, listens := parseSocket(line); listens && !strings.Contains(string(line), "0A") {
			t.Fatalf("%q does not listen", line)
		}
	})
}
