package identity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"golang.org/x/net/dns/dnsmessage"
)

// serveNames is the server of DNS over UDP: it answers each query with an address, until
// its standard input ends.
func serveNames(options serverOptions) error {
	conn, err := (&net.ListenConfig{}).ListenPacket(context.Background(), options.Network, options.Listen)
	if err != nil {
		return err
	}
	fmt.Println(conn.LocalAddr())
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			if answer, err := answerName(b[:n]); err == nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func answerName(query []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		return nil, err
	}
	m.Response = true
	m.Answers = []dnsmessage.Resource{{
		Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Class: dnsmessage.ClassINET, TTL: 60},
		Body:   &dnsmessage.AResource{A: [4]byte{10, 1, 2, 3}},
	}}
	return m.Pack()
}

// unconnected is a socket that names its peer with each datagram.
type unconnected struct {
	net.PacketConn
	to net.Addr
}

func (u unconnected) Write(b []byte) (int, error) { return u.WriteTo(b, u.to) }
func (u unconnected) RemoteAddr() net.Addr        { return u.to }
func (u unconnected) Read(b []byte) (int, error) {
	n, _, err := u.ReadFrom(b)
	return n, err
}

// openNames opens a client's sockets for datagrams.
func openNames(options clientOptions) (conns []*requester, err error) {
	for range options.Connections {
		var conn net.Conn
		if options.Unconnected {
			to, err := net.ResolveUDPAddr(options.Network, options.Address)
			if err != nil {
				return nil, err
			}
			packets, err := (&net.ListenConfig{}).ListenPacket(context.Background(), options.Network, ":0")
			if err != nil {
				return nil, err
			}
			conn = unconnected{packets, to}
		} else if conn, err = (&net.Dialer{}).DialContext(context.Background(), options.Network, options.Address); err != nil {
			return nil, err
		}
		conns = append(conns, &requester{conn: conn})
	}
	return conns, nil
}

// askName asks for a name that is a number, again and again until there is an answer.
func (r *requester) askName(number int) error {
	query := dnsmessage.Message{
		Header: dnsmessage.Header{ID: uint16(rand.Uint32()), RecursionDesired: true},
		Questions: []dnsmessage.Question{{
			Name: dnsmessage.MustNewName(fmt.Sprintf("%d.test.", number)), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET,
		}},
	}
	b, err := query.Pack()
	if err != nil {
		return err
	}
	for range 10 {
		if _, err := r.conn.Write(b); err != nil {
			return err
		}
		if err := r.awaitName(query.ID); !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
	}
	return errors.New("no answer")
}

// awaitName reads until the answer comes, or for a time.
func (r *requester) awaitName(id uint16) error {
	if err := r.conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	b := make([]byte, 1500)
	for {
		n, err := r.conn.Read(b)
		if err != nil {
			return err
		}
		var p dnsmessage.Parser
		if h, err := p.Start(b[:n]); err == nil && h.ID == id && h.Response {
			return nil
		}
	}
}

func isDatagram(network string) bool { return strings.HasPrefix(network, "udp") }

var (
	namesOverLoopback = serverOptions{Network: "udp", Listen: "127.0.0.1:0"}
	fewNames          = batch{First: 1000, Requests: 2000}
	// firstNames are asked before, so that no answer is lost while neighbours look for each other.
	firstNames = batch{First: 1, Requests: 50}
)

// Both ends of a query over UDP name it alike, whether the sockets are connected or not,
// and in other namespaces.
func TestNames(t *testing.T) {
	needRoot(t)
	t.Parallel()
	for name, tt := range map[string]struct {
		listen, dial, peer string
		unconnected        bool
	}{
		"IPv4":                  {serverAnyV4, serverV4, clientV4, false},
		"IPv4, unconnected":     {serverAnyV4, serverV4, clientV4, true},
		"IPv6":                  {"[" + serverV6 + "]:" + serverPort, serverV6, clientV6, false},
		"IPv6, unconnected":     {serverAnyV6, serverV6, clientV6, true},
		"IPv4 on IPv6's socket": {serverAnyV6, serverV4, clientV4, true},
	} {
		t.Run(name, func(t *testing.T) {
			client := fewClients
			client.Network, client.Address, client.Unconnected = "udp", joined(tt.dial), tt.unconnected
			spans, _, _ := exchange{
				network: newNetwork(t), server: serverOptions{Network: "udp", Listen: tt.listen}, client: client, before: firstNames, batch: fewNames,
			}.run(t)
			assert.Equal(t, []string{tt.dial}, peers(spans, true))
			assert.Equal(t, []string{tt.peer}, peers(spans, false))
		})
	}
	t.Run("loopback", func(t *testing.T) {
		exchange{server: namesOverLoopback, client: fewClients, batch: fewNames}.run(t)
	})
}

// The client knows another address of the server, and the server another one of the client.
// Its port is kept.
func TestNamesAtTranslatedAddresses(t *testing.T) {
	needRoot(t)
	t.Parallel()
	n := newNetwork(t)
	n.router.nft(strings.ReplaceAll(translation, "tcp dport 80", "udp dport 53"))
	client := fewClients
	client.Network, client.Address = "udp", routerToClient+":53"
	spans, _, _ := exchange{
		network: n, server: serverOptions{Network: "udp", Listen: serverAnyV4}, client: client, before: firstNames, batch: fewNames,
	}.run(t)
	assert.Equal(t, []string{routerToClient}, peers(spans, true))
	assert.Equal(t, []string{routerToServer}, peers(spans, false))
}

// Where the client's port is translated, too, nothing is linked: not wrongly, either.
func TestNamesAtTranslatedPorts(t *testing.T) {
	needRoot(t)
	t.Parallel()
	n := newNetwork(t)
	n.router.nft(strings.ReplaceAll(translation, "snat to "+routerToServer, "meta l4proto udp snat to "+routerToServer+":20000-29999"))
	client := fewClients
	client.Network, client.Address = "udp", joined(serverV4)
	a, _, _ := exchange{
		network: n, server: serverOptions{Network: "udp", Listen: serverAnyV4}, client: client, before: firstNames, batch: fewNames,
	}.observe(t)
	a.await(2 * fewNames.Requests)
	spans, _ := a.finish()
	got := compare(spans, fewNames.First, fewNames.Requests)
	t.Log(got)
	assert.Equal(t, outcome{requests: fewNames.Requests, clients: fewNames.Requests, servers: fewNames.Requests}, got)
}

// Of queries and answers that are lost on their way, which are sent again, none is matched wrongly. Where
// the answer was lost the server answers twice: the second time is nobody's.
func TestLostNames(t *testing.T) {
	needRoot(t)
	t.Parallel()
	n := newNetwork(t)
	n.router.nft(strings.ReplaceAll(loss, "tcp flags & syn == 0 ", "meta l4proto udp "))
	a, _, _ := exchange{
		network: n, server: serverOptions{Network: "udp", Listen: serverAnyV4},
		client: clientOptions{Network: "udp", Address: joined(serverV4), Connections: 50, Workers: 50}, batch: fewNames,
	}.observe(t)
	a.await(2 * fewNames.Requests)
	spans, _ := a.finish()
	got := compare(spans, fewNames.First, fewNames.Requests)
	t.Log(got)
	assert.Equal(t, fewNames.Requests, got.clients, "sent once or twice, it is one query")
	assert.Zero(t, got.wrong)
	assert.Zero(t, got.duplicates)
	assert.Zero(t, got.unanswered)
	assert.Less(t, got.matched, fewNames.Requests, "no answer was lost")
	assert.Greater(t, got.matched, fewNames.Requests*9/10)
}

// TestMillionNames is the long form.
func TestMillionNames(t *testing.T) {
	if !long() {
		t.Skip("SEQLINK_IDENTITY_LONG is not set")
	}
	exchange{
		server: namesOverLoopback, client: clientOptions{Connections: 2000, Workers: 32},
		batch: batch{First: 1_000_000, Requests: 1_000_000},
	}.run(t)
}
