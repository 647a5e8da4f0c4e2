package http2

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/protocoltest"
)

// seeds are both directions' bytes of connections.
func seeds() (all [][2]string) {
	client, server := newSide(), newSide()
	client.call(1, "/a.B/C").call(3, "/a.B/D").headers(5, true, get("/x?a=b")...)
	server.answer(1, "0").headers(5, false, ":status", "200").data(5, true, "text").answer(3, "5")
	all = append(all, [2]string{preface + client.take(), server.take()})
	client.call(7, "/a.B/C").reset(7, http2.ErrCodeCancel)
	must(server.framer.WriteGoAway(7, http2.ErrCodeNo, nil))
	return append(all, [2]string{client.take(), server.take()})
}

// FuzzHTTP2 plays arbitrary bytes, cut and captured in arbitrary ways, with gaps, overlaps
// and ends in between. script holds an instruction per segment.
func FuzzHTTP2(f *testing.F) {
	for _, both := range seeds() {
		var script []byte
		for d, text := range both {
			for n := len(text); n > 0; n -= min(n, 127) {
				script = append(script, byte(d), byte(min(n, 127)))
			}
		}
		f.Add([]byte(both[0]), []byte(both[1]), script, uint16(1024))
		f.Add([]byte(both[0]), []byte(both[1]), script, uint16(20))
		f.Add([]byte(both[0]), []byte(both[1]), append([]byte{0x91, 1, 0x20, 50, 0x21, 50}, script...), uint16(1024))
	}
	f.Fuzz(func(t *testing.T, first, second, script []byte, payload uint16) {
		w := newWire(t, Options{}, int(payload), 0)
		texts := [2][]byte{first, second}
		p := w.Parser.(*parser)
		for i := 0; i+1 < len(script); i += 2 {
			if op := script[i]; op>>4 == 8 {
				p.Asked(uint32(script[i+1]), w.Now())
				p.Taken(uint32(script[i+1]), w.Now())
			} else {
				w.Instruct(op, int(script[i+1]), &texts)
			}
			w.Check()
			require.LessOrEqual(t, len(p.open), maxOpen)
			require.LessOrEqual(t, len(p.asked), maxOpen)
			require.Equal(t, w.Sink.Open(), len(p.open), "exchanges that nobody will end")
			for d := range p.readers {
				require.LessOrEqual(t, len(p.readers[d].payload), maxBlock)
				require.LessOrEqual(t, len(p.readers[d].block.fields), maxBlock)
			}
		}
		w.Close(conn.Cause(1 + len(script)%5))
	})
}

func FuzzClassify(f *testing.F) {
	var all []string
	for _, both := range seeds() {
		all = append(all, both[:]...)
	}
	protocoltest.FuzzVerdicts(f, New(Options{}, nil).Classify, all...)
}
