package dns

import (
	"encoding/binary"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// lengthSize is that of the length in front of each message over TCP: RFC 1035, 4.2.2.
const lengthSize = 2

// multicastPort is that of multicast DNS (RFC 6762), whose queries have any number of answers.
const multicastPort = 5353

// Classify implements protocol.Protocol.
func (*Protocol) Classify(prefix []byte) protocol.Verdict {
	if len(prefix) < lengthSize {
		return protocol.Maybe
	}
	size := uint64(binary.BigEndian.Uint16(prefix))
	b := prefix[lengthSize:]
	b = b[:min(uint64(len(b)), size)]
	if size < headerSize+1+questionSize {
		return protocol.No
	}
	m, p := read(b)
	switch {
	case p == short && uint64(len(b)) < size:
		return protocol.Maybe
	case p == whole && m.strict(b, size):
		return protocol.Yes
	}
	return protocol.No
}

// ClassifyDatagram implements protocol.DatagramProtocol. The port says nothing: the message does.
func (*Protocol) ClassifyDatagram(d *conn.Datagram) bool {
	c := d.Conn
	if c.Remote.Addr().IsMulticast() || c.Local.Port() == multicastPort || c.Remote.Port() == multicastPort {
		return false
	}
	m, p := read(d.Data)
	return p == whole && m.strict(d.Data, d.Size)
}
