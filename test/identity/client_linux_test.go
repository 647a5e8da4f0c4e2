package identity

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// clientOptions configure a client.
type clientOptions struct {
	// Network and Address are net.Dial's.
	Network, Address string
	// Connections is how many it opens, Workers how many of them work at a time.
	Connections, Workers int
	// FastOpen sends the first request with the SYN.
	FastOpen bool
	// Unconnected names the server with each datagram.
	Unconnected bool
	// Multipath makes MPTCP connections.
	Multipath bool
}

// batch asks a client for requests, numbered from First on, one after the other on each
// connection.
type batch struct {
	First, Requests int
	// Body and Response are the sizes of the bodies.
	Body, Response int
}

// runClient is the program that asks: it opens its connections at the first line that it
// reads, sends a batch for each, and prints a line when all were answered.
func runClient(options clientOptions) error {
	input := bufio.NewScanner(os.Stdin)
	var conns []*requester
	for input.Scan() {
		var b batch
		if err := json.Unmarshal(input.Bytes(), &b); err != nil {
			return err
		}
		if conns == nil {
			var err error
			if conns, err = open(options); err != nil {
				return err
			}
		}
		if err := b.send(conns, options.Workers); err != nil {
			return err
		}
		fmt.Println("done")
	}
	return input.Err()
}

// requester is a connection of a client, or a socket for datagrams.
type requester struct {
	conn net.Conn
	// reader is nil for datagrams.
	reader *bufio.Reader
}

func open(options clientOptions) ([]*requester, error) {
	if isDatagram(options.Network) {
		return openNames(options)
	}
	dialer := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		if !options.FastOpen {
			return nil
		}
		return setOption(raw, unix.TCP_FASTOPEN_CONNECT, 1)
	}}
	dialer.SetMultipathTCP(options.Multipath)
	conns := make([]*requester, options.Connections)
	for i := range conns {
		conn, err := dialer.DialContext(context.Background(), options.Network, options.Address)
		if err != nil {
			return nil, err
		}
		conns[i] = &requester{conn, bufio.NewReaderSize(conn, 4096)}
	}
	return conns, nil
}

// send divides the requests among the connections, and these among the workers. One that
// has many connections uses them in turn.
func (b batch) send(conns []*requester, workers int) error {
	workers = max(1, min(workers, len(conns)))
	errs := make([]error, workers)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() { errs[w] = b.work(conns, w, workers) })
	}
	group.Wait()
	return errors.Join(errs...)
}

func (b batch) work(conns []*requester, worker, workers int) error {
	for n := 0; n < b.Requests; n++ {
		at := n % len(conns)
		if at%workers != worker {
			continue
		}
		if err := conns[at].ask(b.First+n, b.Body, b.Response); err != nil {
			return fmt.Errorf("request %d: %w", b.First+n, err)
		}
	}
	return nil
}

func (r *requester) ask(number, body, response int) error {
	if r.reader == nil {
		return r.askName(number)
	}
	if err := writeAll(r.conn, requestHead(number, body, response), body); err != nil {
		return err
	}
	answer, err := http.ReadResponse(r.reader, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	n, err := io.Copy(io.Discard, answer.Body)
	if err == nil && n != int64(response) {
		return fmt.Errorf("%d of %d bytes came", n, response)
	}
	return err
}

func requestHead(number, body, response int) []byte {
	return fmt.Appendf(nil, "POST /%d HTTP/1.1\r\nHost: server\r\nResponse: %d\r\nContent-Length: %d\r\n\r\n", number, response, body)
}

// sends asks a client process for a batch and waits until it was answered.
func sends(t *testing.T, client *process, b batch) {
	t.Helper()
	line, err := json.Marshal(b)
	require.NoError(t, err)
	require.Equal(t, "done", client.ask(string(line)))
}
