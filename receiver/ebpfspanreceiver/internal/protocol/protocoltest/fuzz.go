package protocoltest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

// AddDialog seeds a fuzz test that FuzzDialogs runs with what is moved in turns, the first
// one in direction Sent, once with nearly all and once with little of each turn captured.
func AddDialog(f *testing.F, turns []string) {
	f.Helper()
	var both [2]string
	var script []byte
	for i, text := range turns {
		both[i%2] += text
		for n := len(text); n > 0; n -= min(n, 127) {
			script = append(script, byte(i%2), byte(min(n, 127)))
		}
	}
	for _, payload := range []uint16{1024, 20} {
		f.Add([]byte(both[0]), []byte(both[1]), script, payload)
	}
}

// FuzzDialogs plays arbitrary bytes, cut and captured in arbitrary ways, with gaps, overlaps and
// ends in between: a script holds an instruction and a number for each segment (Wire.Instruct).
// NewWire makes the wire of a connection, check fails the test where what its parser holds is
// not as it must be after each of them.
func FuzzDialogs(f *testing.F, newWire func(t *testing.T, payload int) *Wire, check func(w *Wire)) {
	f.Helper()
	f.Fuzz(func(t *testing.T, first, second, script []byte, payload uint16) {
		w := newWire(t, int(payload))
		texts := [2][]byte{first, second}
		for i := 0; i+1 < len(script); i += 2 {
			w.Instruct(script[i], int(script[i+1]), &texts)
			w.Check()
			check(w)
		}
		w.Close(conn.Cause(1 + len(script)%5))
	})
}

// FuzzVerdicts checks that a verdict never turns from No to another with more bytes, as the
// Demux relies on that.
func FuzzVerdicts(f *testing.F, classify func(prefix []byte) protocol.Verdict, seeds ...string) {
	f.Helper()
	const longest = 300
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		no := false
		for n := range min(len(b), longest) {
			v := classify(b[:n])
			require.False(t, no && v > protocol.No, "%q", b[:n])
			no = v == protocol.No
		}
	})
}
