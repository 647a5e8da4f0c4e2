package redis

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database"
)

// FuzzRedis plays arbitrary bytes, cut and captured in arbitrary ways, with gaps, overlaps
// and ends in between. script holds an instruction per segment.
func FuzzRedis(f *testing.F) {
	for _, tt := range dialogs {
		var both [2]string
		var script []byte
		for i, text := range tt.dialog {
			both[i%2] += text
			for n := len(text); n > 0; n -= min(n, 127) {
				script = append(script, byte(i%2), byte(min(n, 127)))
			}
		}
		f.Add([]byte(both[0]), []byte(both[1]), script, uint16(1024))
		f.Add([]byte(both[0]), []byte(both[1]), script, uint16(20))
	}
	f.Fuzz(func(t *testing.T, first, second, script []byte, payload uint16) {
		w := newWire(t, Options{Query: QueryKeep}, int(payload), 0)
		texts := [2][]byte{first, second}
		p := w.Parser.(*parser)
		for i := 0; i+1 < len(script); i += 2 {
			w.Instruct(script[i], int(script[i+1]), &texts)
			w.Check()
			require.LessOrEqual(t, len(p.queue.All()), database.MaxOpen)
			require.Equal(t, w.Sink.Open(), len(p.queue.All()), "exchanges that nobody will end")
			for d := range p.streams {
				require.LessOrEqual(t, len(p.streams[d].line), maxLine)
				require.LessOrEqual(t, len(p.streams[d].text), maxArgument)
			}
		}
		w.Close(conn.Cause(1 + len(script)%5))
	})
}

// FuzzClassify checks that a verdict never turns from No to another with more bytes, as the
// Demux relies on that.
func FuzzClassify(f *testing.F) {
	f.Add([]byte(encodeLine("GET a")))
	f.Add([]byte("+PONG\r\n"))
	r := New(Options{}, nil)
	f.Fuzz(func(t *testing.T, b []byte) {
		no := false
		for n := range min(len(b), 200) {
			v := r.Classify(b[:n])
			require.False(t, no && v > protocol.No, "%q", b[:n])
			no = v == protocol.No
		}
	})
}
