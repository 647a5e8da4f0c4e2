package mysql

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database/packet"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/protocoltest"
)

func FuzzMySQL(f *testing.F) {
	for _, tt := range dialogs {
		protocoltest.AddDialog(f, tt.dialog)
	}
	wire := func(t *testing.T, payload int) *protocoltest.Wire { return newWire(t, Options{}, payload, 0) }
	protocoltest.FuzzDialogs(f, wire, func(w *protocoltest.Wire) {
		p := w.Parser.(*parser)
		require.LessOrEqual(w.T, len(p.queue.All()), database.MaxOpen)
		require.Equal(w.T, w.Sink.Open(), len(p.queue.All()), "exchanges that nobody will end")
		for d := range p.streams {
			require.LessOrEqual(w.T, len(p.streams[d].Body), packet.MaxBody)
		}
	})
}

func FuzzClassify(f *testing.F) {
	var seeds []string
	for _, tt := range dialogs {
		seeds = append(seeds, tt.dialog[0])
	}
	protocoltest.FuzzVerdicts(f, classify, seeds...)
}
