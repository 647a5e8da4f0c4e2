package run

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"time"
)

// startTimeout is how long a started process may take to answer.
const startTimeout = 5 * time.Minute

// waitFor calls ready until it returns nil, the process ends, or time is up.
func waitFor(ctx context.Context, p *Process, ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.Ended():
			return p.failure("ended while it started")
		case <-ctx.Done():
			return errors.Join(p.failure("does not answer"), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func listening(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// forked waits for a child: connections are taken before there is one.
func forked(pid int) func(context.Context) error {
	return func(context.Context) error {
		if len(children(pid)) == 0 {
			return errors.New("it has no child yet")
		}
		return nil
	}
}

// Ports are taken from below those that the kernel gives to clients (ip(7),
// ip_local_port_range), of which one may be in use when its turn comes.
const firstPort, lastPort = 20_000, 32_767

// given are the ports that this process has handed out.
var given struct {
	mutex sync.Mutex
	ports map[int]bool
}

// FreeAddresses returns n loopback addresses that nobody listens on, and that it has not
// returned before.
func FreeAddresses(n int) ([]string, error) {
	given.mutex.Lock()
	defer given.mutex.Unlock()
	if given.ports == nil {
		given.ports = make(map[int]bool)
	}
	var addresses []string
	for range lastPort - firstPort {
		if len(addresses) == n {
			return addresses, nil
		}
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if !given.ports[port] && free(address) {
			given.ports[port] = true
			addresses = append(addresses, address)
		}
	}
	return nil, fmt.Errorf("no %d free ports were found between %d and %d", n, firstPort, lastPort)
}

func free(address string) bool {
	listener, err := net.Listen("tcp", address)
	return err == nil && listener.Close() == nil
}
