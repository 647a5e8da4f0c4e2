package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"
)

// messages takes over the connection and calls for each message that comes.
func (s *service) messages(w http.ResponseWriter, _ *http.Request) {
	connection, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		log.Fatal(err)
	}
	const accepted = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: messages\r\nConnection: Upgrade\r\n\r\n"
	if _, err := io.WriteString(connection, accepted); err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	for {
		if _, err := buffered.ReadString('\n'); err != nil {
			return // the other end begins anew
		}
		if err := s.call(context.Background(), 0, "none", ""); err != nil {
			log.Print(err)
		}
	}
}

// sendMessages upgrades a connection to the service's own address and sends a message every
// 5 ms, a second long, again and again.
func sendMessages(address string) {
	for {
		if err := upgraded(address); err != nil {
			log.Print(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func upgraded(address string) error {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return err // the service may not listen yet
	}
	defer connection.Close()
	const request = "GET /messages?truth=none HTTP/1.1\r\nHost: %s\r\nUpgrade: messages\r\nConnection: Upgrade\r\n\r\n"
	if _, err := fmt.Fprintf(connection, request, address); err != nil {
		return err
	}
	for range 200 {
		time.Sleep(5 * time.Millisecond)
		if _, err := io.WriteString(connection, "message\n"); err != nil {
			return err
		}
	}
	return nil
}
