package registry

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/loss"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

type phases []protocol.Phase

func (p *phases) Exchange(_ *protocol.Exchange, phase protocol.Phase) { *p = append(*p, phase) }
func (*phases) Connect(*conn.Conn)                                    {}
func (*phases) Message(conn.Origin)                                   {}
func (*phases) Wake(conn.Wake)                                        {}
func (*phases) Tick(int64)                                            {}

func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range All(Options{}, &loss.Counts{}) {
		require.NotEmpty(t, p.Name())
		require.False(t, seen[p.Name()], p.Name())
		seen[p.Name()] = true
	}
}

// An exchange whose first byte is read alone goes through the whole stage.
func TestStage(t *testing.T) {
	var losses loss.Counts
	var got phases
	d := protocol.New(All(Options{}, &losses), &got, &losses)
	c := &conn.Conn{}
	var offsets [2]uint64
	move := func(dir conn.Direction, turn bool, text string) {
		d.Segment(&conn.Segment{Conn: c, Direction: dir, Turn: turn, Offset: offsets[dir], Size: uint64(len(text)), Data: []byte(text)})
		offsets[dir] += uint64(len(text))
	}
	move(conn.Sent, true, "the rest of an older response")
	move(conn.Received, true, "G")
	move(conn.Received, false, "ET / HTTP/1.1\r\n\r\n")
	move(conn.Sent, true, "HTTP/1.1 204 No Content\r\n\r\n")
	assert.Equal(t, phases{protocol.RequestBegan, protocol.RequestRead, protocol.ResponseBegan, protocol.Ended}, got)
	losses.Each(func(r loss.Reason, n int64) { assert.Zero(t, n, r) })
}
