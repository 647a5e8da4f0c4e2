package identity

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A shuffler is a wire between two namespaces that hands packets on in another order, and
// some of them twice. It is a program with a TUN device in each
// (Documentation/networking/tuntap.rst).
const (
	// holdBack and repeat are how many packets of 100 others overtake, or come twice.
	holdBack, repeat = 20, 2
	// overtaken is by about how many others at most, patience how long that may take.
	overtaken, patience = 6, 3 * time.Millisecond
)

// shufflerOptions name the namespaces by their files.
type shufflerOptions struct{ Namespaces [2]string }

// runShuffler says "ready" once the devices are there, and ends with its standard input.
func runShuffler(options shufflerOptions) error {
	var ends [2]*os.File
	for i, path := range options.Namespaces {
		var err error
		if ends[i], err = openTUN(path); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	failed := make(chan error, 2)
	go func() { failed <- shuffle(ends[0], ends[1]) }()
	go func() { failed <- shuffle(ends[1], ends[0]) }()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		failed <- nil
	}()
	return <-failed
}

// openTUN makes the device "uplink" in a network namespace.
func openTUN(namespace string) (*os.File, error) {
	type opened struct {
		file *os.File
		err  error
	}
	result := make(chan opened)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine: it is in another namespace
		file, err := openTUNFrom(namespace)
		result <- opened{file, err}
	}()
	o := <-result
	return o.file, o.err
}

func openTUNFrom(namespace string) (*os.File, error) {
	n, err := os.Open(namespace)
	if err != nil {
		return nil, err
	}
	defer n.Close()
	if err := unix.Setns(int(n.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("setns %s: %w", namespace, err)
	}
	device, err := unix.Open(tunDevice, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	request, err := unix.NewIfreq("uplink")
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(device, unix.TUNSETIFF, request)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("TUNSETIFF: %w", err), unix.Close(device))
	}
	return os.NewFile(uintptr(device), tunDevice), nil
}

const tunDevice = "/dev/net/tun"

// held is a packet that about so many others are to overtake.
type held struct {
	packet []byte
	behind int
}

// shuffle hands packets on in one direction.
func shuffle(from, to *os.File) error {
	var waiting []held
	buffer := make([]byte, 64<<10)
	for {
		if err := from.SetReadDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		n, err := from.Read(buffer)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			for _, h := range waiting {
				send(to, h.packet)
			}
			waiting = nil
			continue
		case err != nil:
			return err
		case rand.IntN(100) < holdBack:
			waiting = append(waiting, held{slices.Clone(buffer[:n]), 1 + rand.IntN(overtaken)})
			continue
		}
		send(to, buffer[:n])
		if rand.IntN(100) < repeat {
			send(to, buffer[:n])
		}
		waiting = slices.DeleteFunc(waiting, func(h held) bool {
			if rand.IntN(h.behind) > 0 {
				return false
			}
			send(to, h.packet)
			return true
		})
	}
}

// send writes a packet. One that is not taken, as before the device is up, is a lost one.
func send(to *os.File, packet []byte) { _, _ = to.Write(packet) }

// newShuffledNetwork joins a client's and a server's namespace by a shuffler.
func newShuffledNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{client: newNamespace(t), server: newNamespace(t)}
	var options shufflerOptions
	for i, end := range []*namespace{n.client, n.server} {
		options.Namespaces[i] = "/proc/" + end.pid() + "/ns/net"
	}
	wire := start(t, nil, nil, self("shuffler", options)...)
	require.Equal(t, "ready", wire.answer())
	for _, end := range []struct {
		at                   *namespace
		v4, peer4, v6, peer6 string
	}{{n.client, clientV4, serverV4, clientV6, serverV6}, {n.server, serverV4, clientV4, serverV6, clientV6}} {
		end.at.run("ip", "link", "set", "uplink", "up") // before: what is added to a device that is down loses its peer
		end.at.run("ip", "address", "add", end.v4, "peer", end.peer4, "dev", "uplink")
		end.at.run("ip", "address", "add", end.v6, "peer", end.peer6, "dev", "uplink", "nodad")
		end.at.run("ip", "route", "replace", end.peer6, "dev", "uplink")
	}
	return n
}

// Packets that overtake each other, and ones that come twice, leave the bytes of a
// connection where they are.
func TestReorderedPackets(t *testing.T) {
	needRoot(t)
	t.Parallel()
	if _, err := os.Stat(tunDevice); err != nil {
		t.Skip("this kernel has no TUN devices: ", err)
	}
	for name, tt := range map[string]struct {
		listen, dial string
		before       batch
	}{
		"new connections": {serverAnyV4, serverV4, batch{}},
		"older connections": {
			serverAnyV4, serverV4, batch{First: 1, Requests: 100, Body: 20_000, Response: 20_000},
		},
		"IPv6": {"[" + serverV6 + "]:" + serverPort, serverV6, batch{}},
	} {
		t.Run(name, func(t *testing.T) {
			_, client, server := exchange{
				network: newShuffledNetwork(t), server: serverOptions{Network: "tcp", Listen: tt.listen},
				client: clientOptions{Address: joined(tt.dial), Connections: 50, Workers: 50},
				before: tt.before, batch: batch{First: 1000, Requests: 1000, Body: 20_000, Response: 20_000},
			}.run(t)
			assert.Greater(t, client.counter("netstat", "TCPOFOQueue"), 100, "answers came in order")
			assert.Greater(t, server.counter("netstat", "TCPOFOQueue"), 100, "requests came in order")
		})
	}
}
