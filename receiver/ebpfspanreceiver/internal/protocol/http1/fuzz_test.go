package http1

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/protocoltest"
)

// FuzzHTTP1 plays arbitrary bytes, cut and captured in arbitrary ways, with gaps,
// overlaps and ends in between. script holds an instruction per segment: its
// direction, its size, and what goes wrong.
func FuzzHTTP1(f *testing.F) {
	for _, dialog := range dialogs {
		protocoltest.AddDialog(f, dialog)
	}
	f.Add([]byte(get), []byte(ok), []byte{0, 50, 0x20, 60, 1, 20, 0x31, 20, 0x41, 9, 0x50, 1}, uint16(64))
	f.Add([]byte(get+get), []byte(ok+ok), []byte{0, 50, 1, 60, 0x80, 60, 0x81, 20, 0, 50, 1, 60}, uint16(64))
	f.Fuzz(func(t *testing.T, first, second, script []byte, payload uint16) {
		fx := newFixture(t, int(payload))
		texts := [2][]byte{first, second}
		for i := 0; i+1 < len(script); i += 2 {
			fx.instruct(script[i], int(script[i+1]), &texts)
			fx.checkBounds()
		}
		fx.close(conn.Cause(1 + len(script)%5))
	})
}

// instruct carries out one instruction of a fuzzed script.
func (f *fixture) instruct(op byte, n int, texts *[2][]byte) {
	d := conn.Direction(op & 1)
	switch op >> 4 {
	case 2:
		f.lose(d, n)
	case 3:
		f.offsets[d] -= min(f.offsets[d], uint64(n))
	case 4:
		f.parser.Tick(f.clock + int64(n)*pause/16)
	case 5:
		f.parser.End(d, conn.EOF, f.now())
	case 6:
		f.clock -= int64(n) * step
	case 7:
		f.offsets[d] += uint64(n) << 56
	case 8:
		f.leave(d, n)
	default:
		n = min(n, len(texts[d]))
		f.move(d, string(texts[d][:n]))
		texts[d] = texts[d][n:]
	}
}

func (f *fixture) checkBounds() {
	p := f.parser.(*parser)
	require.LessOrEqual(f.t, len(p.queue.open), maxOpen)
	require.Equal(f.t, f.sink.open(), len(p.queue.open), "exchanges that nobody will end")
	for d := range p.streams {
		require.LessOrEqual(f.t, len(p.streams[d].head.buf), maxHead)
	}
	require.Empty(f.t, f.sink.broken)
}

func FuzzClassify(f *testing.F) {
	protocoltest.FuzzVerdicts(f, New(Options{}, nil).Classify, get, ok, "CONNECT a:1 HTTP/1.1\r\n", "OPTIONS * HTTP/1.1\r\n")
}
