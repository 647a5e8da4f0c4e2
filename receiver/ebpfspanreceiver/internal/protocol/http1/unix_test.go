package http1

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/protocoltest"
)

// Unix sockets have a path for an address, and no port.
func TestUnixSocketAttributes(t *testing.T) {
	for name, tt := range map[string]struct {
		side protocol.Side
		conn conn.Conn
		want map[string]any
	}{
		"client": {
			protocol.Client,
			conn.Conn{Unix: true, RemotePath: "/run/app.sock"},
			map[string]any{"network.transport": "unix", "network.peer.address": "/run/app.sock", "server.address": "/run/app.sock"},
		},
		"server": {
			protocol.Server,
			conn.Conn{Unix: true, LocalPath: "@app"},
			map[string]any{"network.transport": "unix", "server.address": "@app"},
		},
		"unnamed": {protocol.Client, conn.Conn{Unix: true}, map[string]any{"network.transport": "unix"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := &exchange{Exchange: protocol.Exchange{Conn: &tt.conn, Side: tt.side}}
			p := &parser{protocol: New(Options{}, nil), conn: &tt.conn, side: tt.side}
			p.describeEnd(e)
			got := make(map[string]any)
			e.Details = e
			for key, value := range protocoltest.AttributesOf(&e.Exchange).All() {
				switch key {
				case "network.transport", "network.peer.address", "network.peer.port", "client.address", "server.address", "server.port":
					got[key] = value.AsRaw()
				}
			}
			assert.Equal(t, tt.want, got)
		})
	}
}
