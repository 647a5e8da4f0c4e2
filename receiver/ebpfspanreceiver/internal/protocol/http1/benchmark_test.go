package http1

import (
	"testing"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

type discard struct{}

func (discard) Exchange(*protocol.Exchange, protocol.Phase) {}
func (discard) Connect(*conn.Conn)                          {}
func (discard) Message(conn.Origin)                         {}
func (discard) Wake(conn.Wake)                              {}
func (discard) Tick(int64)                                  {}

// BenchmarkExchange measures one exchange on a connection that is kept alive: a
// request with usual fields, its first byte read alone or not, and a response.
func BenchmarkExchange(b *testing.B) {
	for name, first := range map[string]int{"whole": 0, "first_byte_alone": 1} {
		b.Run(name, func(b *testing.B) {
			c := newConn()
			p := New(Options{}, &loss.Counts{}).NewParser(c, discard{})
			var offsets [2]uint64
			move := func(d conn.Direction, turn bool, text []byte) {
				p.Segment(&conn.Segment{Conn: c, Direction: d, Turn: turn, Offset: offsets[d], Size: uint64(len(text)), Data: text})
				offsets[d] += uint64(len(text))
			}
			request, response := []byte(get), []byte(ok)
			b.ReportAllocs()
			for b.Loop() {
				if first > 0 {
					move(conn.Received, true, request[:first])
				}
				move(conn.Received, first == 0, request[first:])
				move(conn.Sent, true, response)
			}
		})
	}
}
