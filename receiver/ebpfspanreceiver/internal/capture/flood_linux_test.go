package capture

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"golang.org/x/sys/unix"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

const (
	floodConnections = 4
	floodExchanges   = 500
	// floodEvents are a send and a receive at both ends, there and back.
	floodEvents = floodConnections * floodExchanges * 4
)

// flood exchanges messages over connections of its own, each end a thread that blocks.
func flood(int) error {
	var threads sync.WaitGroup
	errs := make(chan error, 2*floodConnections)
	for range floodConnections {
		client, server, err := blockingPair()
		if err != nil {
			return err
		}
		for i, fd := range []int{client, server} {
			threads.Go(func() {
				runtime.LockOSThread()
				errs <- floodEnd(fd, i == 0)
			})
		}
	}
	threads.Wait()
	close(errs)
	var all []error
	for err := range errs {
		all = append(all, err)
	}
	return errors.Join(all...)
}

func floodEnd(fd int, begins bool) error {
	message := bytes.Repeat([]byte("x"), 64) // in memory, so that it can be read
	for range floodExchanges {
		if begins {
			if _, err := unix.Write(fd, message); err != nil {
				return err
			}
		}
		for got := 0; got < len(message); {
			n, err := unix.Read(fd, message[got:])
			if err != nil {
				return err
			}
			if n == 0 {
				return io.ErrUnexpectedEOF
			}
			got += n
		}
		if !begins {
			if _, err := unix.Write(fd, message); err != nil {
				return err
			}
		}
	}
	return nil
}

// blockingPair returns both ends of a connection over loopback.
func blockingPair() (client, server int, err error) {
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return 0, 0, err
	}
	defer unix.Close(listener)
	if err := unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, 0, err
	}
	if err := unix.Listen(listener, 1); err != nil {
		return 0, 0, err
	}
	address, err := unix.Getsockname(listener)
	if err != nil {
		return 0, 0, err
	}
	if client, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); err != nil {
		return 0, 0, err
	}
	if err := unix.Connect(client, address); err != nil {
		return 0, 0, err
	}
	server, _, err = unix.Accept(listener)
	return client, server, err
}

// Of what many threads do at one time everything is seen, or counted as lost.
func TestKernelSeesOrCountsAFlood(t *testing.T) {
	var losses loss.Counts
	k := ownKernel(t, &losses, 8<<20)
	events := runOperations(t, k, "flood, done", func(conn net.Conn) { _, _ = io.ReadAll(conn) })
	moved := 0
	for _, e := range ofKind(events, Send, Receive) {
		if e.Size == 64 {
			moved++
		}
	}
	t.Logf("%s: %d of %d seen, %d missed", k.Strategy(), moved, floodEvents, losses.Get(loss.ProgramMissed))
	assert.LessOrEqual(t, moved, floodEvents)
	assert.GreaterOrEqual(t, int64(moved)+losses.Get(loss.ProgramMissed)+losses.Get(loss.RingBufferFull), int64(floodEvents),
		"what is not here was counted")
}
