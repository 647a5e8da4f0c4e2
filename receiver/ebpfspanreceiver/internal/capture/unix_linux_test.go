package capture

import (
	"errors"
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func init() { operations["unix"] = talkToItself }

// talkToItself asks and answers over a Unix socket without a path.
func talkToItself(int) error {
	listener, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	// An address of the family alone lets the kernel choose an abstract name: unix(7).
	if err := unix.Bind(listener, &unix.SockaddrUnix{}); err != nil {
		return err
	}
	if err := unix.Listen(listener, 1); err != nil {
		return err
	}
	name, err := unix.Getsockname(listener)
	if err != nil {
		return err
	}
	client, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	if err := unix.Connect(client, name); err != nil {
		return err
	}
	server, _, err := unix.Accept(listener)
	if err != nil {
		return err
	}
	return errors.Join(
		write(client, "ask"), receive(server, 0),
		failure(unix.SendmsgBuffers(server, pieces("ans", "wer"), nil, nil, 0)), receiveMessage(client),
		unix.Close(client), unix.Close(server), unix.Close(listener),
	)
}

// Both ends of a Unix socket have the same numbers and places.
func TestKernelSeesUnixSockets(t *testing.T) {
	k, losses := testKernel(t)
	var ours []Event
	for _, e := range runOperations(t, k, "unix, done", func(c net.Conn) { _, _ = io.ReadAll(c) }) {
		if e.Unix {
			ours = append(ours, e)
		}
	}
	moved := ofKind(ours, Send, Receive)
	require.Len(t, moved, 4)
	for i, want := range []struct {
		kind Kind
		data string
	}{{Send, "ask"}, {Receive, "ask"}, {Send, "answer"}, {Receive, "answer"}} {
		assert.Equal(t, want.kind, moved[i].Kind)
		assert.Equal(t, want.data, string(moved[i].Data))
	}
	for i := range 2 {
		sender, receiver := moved[2*i], moved[2*i+1]
		assert.NotEqual(t, sender.Socket, receiver.Socket)
		assert.Equal(t, sender.Identity.FirstSent, receiver.Identity.FirstReceived)
		assert.Equal(t, sender.Identity.FirstReceived, receiver.Identity.FirstSent)
		assert.Equal(t, sender.Offset, receiver.Offset)
	}
	assert.NotEqual(t, moved[0].Identity, moved[2].Identity)
	assertNoLoss(t, losses)
}
