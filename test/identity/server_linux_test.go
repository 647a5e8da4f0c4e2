package identity

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// serverOptions configure a server.
type serverOptions struct {
	// Network is one of net.Listen's, Listen the address.
	Network, Listen string
	// FastOpen takes requests that come with the SYN.
	FastOpen bool
	// Multipath takes MPTCP connections as such.
	Multipath bool
}

// runServer is the program that answers: it prints where it listens and serves HTTP until
// its standard input ends, or DNS over UDP. A request's field Response says how long the answer's body is.
func runServer(options serverOptions) error {
	if isDatagram(options.Network) {
		return serveNames(options)
	}
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		if !options.FastOpen {
			return nil
		}
		return setOption(raw, unix.TCP_FASTOPEN, 1024)
	}}
	config.SetMultipathTCP(options.Multipath)
	listener, err := config.Listen(context.Background(), options.Network, options.Listen)
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func setOption(raw syscall.RawConn, option, value int) error {
	var failed error
	err := raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, option, value) })
	if err != nil {
		return err
	}
	return failed
}

// filler are the bodies' bytes. It is written to, so that the kernel finds it in memory.
var filler = bytes.Repeat([]byte("x"), 256<<10)

func serve(conn net.Conn) {
	defer conn.Close()
	reader := bufio.NewReaderSize(conn, 4096)
	for {
		size, err := readRequest(reader)
		if err != nil {
			return
		}
		head := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size)
		if err := writeAll(conn, head, size); err != nil {
			return
		}
	}
}

// readRequest reads a whole request and returns the size of the body that it asks for.
func readRequest(reader *bufio.Reader) (response int, err error) {
	if _, err = reader.ReadString('\n'); err != nil {
		return 0, err
	}
	fields, err := textproto.NewReader(reader).ReadMIMEHeader()
	if err != nil {
		return 0, err
	}
	body, _ := strconv.ParseInt(fields.Get("Content-Length"), 10, 64)
	if _, err = io.CopyN(io.Discard, reader, body); err != nil {
		return 0, err
	}
	return strconv.Atoi(fields.Get("Response"))
}

// writeAll writes a head and so many bytes of body.
func writeAll(conn net.Conn, head []byte, body int) error {
	if body <= 4096 {
		_, err := conn.Write(append(head, filler[:body]...))
		return err
	}
	if _, err := conn.Write(head); err != nil {
		return err
	}
	for body > 0 {
		n, err := conn.Write(filler[:min(body, len(filler))])
		if err != nil {
			return err
		}
		body -= n
	}
	return nil
}
