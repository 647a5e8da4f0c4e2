package run

import (
	"context"
	"errors"
	"fmt"
	"net"
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

// FreeAddresses returns n loopback addresses that nobody listens on.
func FreeAddresses(n int) ([]string, error) {
	addresses := make([]string, n)
	for i := range addresses {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		// Held until all are found, so that none is given twice.
		defer listener.Close()
		addresses[i] = listener.Addr().String()
	}
	return addresses, nil
}
