package mysql

import (
	"encoding/binary"
	"strings"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database/packet"
)

// The client's capabilities that change what is written: include/mysql_com.h.
const (
	capabilityConnectWithDB    = 1 << 3
	capabilityCompress         = 1 << 5
	capabilityProtocol41       = 1 << 9
	capabilitySSL              = 1 << 11
	capabilitySecureConnection = 1 << 15
	capabilityAuthLenenc       = 1 << 21
	capabilityDeprecateEOF     = 1 << 24
	capabilityZstd             = 1 << 26
)

// loginHead is the size of what the client's first packet begins with: capabilities, the largest
// packet, a character set, and zeros. A request for TLS ends there.
const loginHead = 32

// isGreeting reports whether a message is the server's first one.
func isGreeting(st *packet.Stream) bool {
	return sequence(st) == 0 && len(st.Body) > headerSize && st.Body[0] == protocolVersion
}

// greeting takes the server's first packet: its version tells who it is.
func (p *parser) greeting(st *packet.Stream) {
	version, _, ok := text(st.Body[1:])
	if ok && strings.Contains(version, "MariaDB") {
		p.system = semconv.DBSystemNameMariaDB
	}
}

// login takes the client's answer to the greeting.
func (p *parser) login(st *packet.Stream) {
	if len(st.Body) < loginHead {
		st.Lose(loss.MalformedMessage)
		return
	}
	capabilities := binary.LittleEndian.Uint32(st.Body)
	if capabilities&capabilitySSL != 0 && st.Length == loginHead {
		p.unreadable("TLS", "ssl-mode=DISABLED; MariaDB: skip-ssl")
		return
	}
	p.known = true
	p.deprecatesEOF = capabilities&capabilityDeprecateEOF != 0
	p.namespace = namespaceOf(st.Body[loginHead:], capabilities)
	u := &unit{command: comChangeUser, expects: verdict}
	u.compresses = capabilities&(capabilityCompress|capabilityZstd) != 0
	u.Namespace = p.namespace
	u.Opens = true
	u.Title("login")
	p.begin(st, u)
}

// namespaceOf returns the database's name, which follows on the user's and what proves that it is him.
func namespaceOf(b []byte, capabilities uint32) string {
	if capabilities&capabilityConnectWithDB == 0 {
		return ""
	}
	_, b, ok := text(b)
	if !ok {
		return ""
	}
	name, _, _ := text(behindProof(b, capabilities))
	return strings.ToValidUTF8(name, "\uFFFD")
}

// behindProof returns what follows on what proves who logs in, nothing where that is not all there.
func behindProof(b []byte, capabilities uint32) []byte {
	var size uint64
	ok := true
	switch {
	case capabilities&capabilityAuthLenenc != 0:
		size, b, ok = number(b)
	case capabilities&capabilitySecureConnection == 0:
		_, b, ok = text(b)
	case len(b) == 0:
	default:
		size, b = uint64(b[0]), b[1:]
	}
	if !ok || size > uint64(len(b)) {
		return nil
	}
	return b[size:]
}

// changeUser takes a command that logs in anew: the name, what proves it, and the database follow.
func (p *parser) changeUser(st *packet.Stream, u *unit) {
	u.expects, u.chosen = verdict, true
	p.forget()
	if _, b, ok := text(st.Body[1:]); ok {
		name, _, _ := text(behindProof(b, capabilitySecureConnection))
		u.chooses = strings.ToValidUTF8(name, "\uFFFD")
	}
}
