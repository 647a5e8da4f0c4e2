package protocol

import (
	"net/netip"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
)

// End is one end of a connection, as text. The address is that of an IP without its port, or a path; it is
// empty where it is not known, and where a socket takes what comes to any.
type End struct {
	Address string
	Port    uint16
}

// Ends are the two ends of a connection. Their texts are made once.
type Ends struct {
	local, remote End
	known         bool
}

// Of returns the server's end of an exchange of one side, and the peer's.
func (k *Ends) Of(c *conn.Conn, side Side) (server, peer End) {
	if !k.known {
		k.local, k.remote = endOf(c.Unix, c.Local, c.LocalPath), endOf(c.Unix, c.Remote, c.RemotePath)
		k.known = c.Local.IsValid() && c.Remote.IsValid()
	}
	if side == Server {
		return k.local, k.remote
	}
	return k.remote, k.remote
}

func endOf(unix bool, at netip.AddrPort, path string) End {
	switch {
	case unix:
		return End{Address: path}
	case !at.IsValid():
		return End{}
	case at.Addr().IsUnspecified():
		return End{Port: at.Port()}
	}
	return End{at.Addr().Unmap().String(), at.Port()}
}
