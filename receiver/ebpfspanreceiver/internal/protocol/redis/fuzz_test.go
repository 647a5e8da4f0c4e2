package redis

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/database"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol/protocoltest"
)

func FuzzRedis(f *testing.F) {
	for _, tt := range dialogs {
		protocoltest.AddDialog(f, tt.dialog)
	}
	wire := func(t *testing.T, payload int) *protocoltest.Wire {
		return newWire(t, Options{Query: QueryKeep}, payload, 0)
	}
	protocoltest.FuzzDialogs(f, wire, func(w *protocoltest.Wire) {
		p := w.Parser.(*parser)
		require.LessOrEqual(w.T, len(p.queue.All()), database.MaxOpen)
		require.Equal(w.T, w.Sink.Open(), len(p.queue.All()), "exchanges that nobody will end")
		for d := range p.streams {
			require.LessOrEqual(w.T, len(p.streams[d].line), maxLine)
			require.LessOrEqual(w.T, len(p.streams[d].text), maxArgument)
		}
	})
}

func FuzzClassify(f *testing.F) {
	protocoltest.FuzzVerdicts(f, New(Options{}, nil).Classify, encodeLine("GET a"), "+PONG\r\n")
}
