package conn

import "net/netip"

// Endpoint is a UDP socket. What it sends to one peer and receives from it is a flow, which
// is a Conn of its own.
type Endpoint struct {
	// Socket is the socket's inode number.
	Socket uint64
	// State is the handler's own: what it knows of the socket, nil at first.
	State any

	flows map[netip.AddrPort]*Conn
}

// Datagram is a message of a flow, as one system call moved it. Datagrams of a flow may be
// lost, come twice, and overtake each other.
type Datagram struct {
	// Conn is the flow; its Endpoint is set.
	Conn      *Conn
	Direction Direction
	// Size is the number of bytes of the datagram. It may exceed len(Data).
	Size uint64
	// Data holds its first bytes as far as they were captured. It is valid only during the
	// call that delivers it.
	Data []byte
	// Errno says that the datagram could not be sent, or that the socket had an error where
	// one was to be received: then Data is empty. It is 0 otherwise.
	Errno int32
	// Origin is the entry of the send or the exit of the receive, and who called it.
	Origin Origin
}
