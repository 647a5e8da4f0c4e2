package database

import (
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
)

// Unreadable says why nothing can be read on a connection from some byte on.
type Unreadable struct {
	// Protocol is the name of the database's protocol, as protocol.Protocol has it.
	Protocol string
	// By is what hides the bytes: "TLS".
	By string
	// Option is how usual clients are told to do without: "sslmode=disable".
	Option string
}

// Reporter hears of what users can do something about, beside the counters of losses.
type Reporter interface {
	// Unreadable says that c is given up, for the reason why.
	Unreadable(c *conn.Conn, why Unreadable)
}

// Unreadable gives the connection up: it is counted, reported, and nothing more of it need be captured.
func (s *Session) Unreadable(why Unreadable) {
	s.Lose(loss.Encrypted)
	s.Thinner.Unknown(s.Conn.Socket)
	if s.Reporter != nil {
		s.Reporter.Unreadable(s.Conn, why)
	}
}
