package seqlinkprocessor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
)

func somePublication() publication {
	return publication{
		published: time.Unix(1_700_000_000, 5),
		segments: []recordedSegment{
			{trace: tid(1), kernel: true, name: name{trace: tid(3), seq: 300, decision: keepTrace}},
			{trace: tid(2), name: name{trace: tid(3), seq: 300, decision: dropBySampling, randomness: 12345, explicit: true}, continues: tid(9)},
			{trace: tid(4)},
		},
		spans: []plainSpan{{0, sid(0x11), sid(0x99)}, {0, sid(0x12), pcommon.SpanID{}}},
		full: []recordedSpan{
			{0, arrival{
				id: sid(0x10), parent: sid(0x99), start: 1_700_000_000_000_000_000, end: 1_700_000_000_000_000_100,
				kind: ptrace.SpanKindServer, bits: spanKernel | spanIsRemote,
				contexts: []spanContext{{contextRef{tid(7), sid(8)}, verdictKeep}, {contextRef{tid(9), sid(10)}, verdictNone}},
			}},
			{1, arrival{id: sid(0x20), parent: sid(0x10), kind: ptrace.SpanKindInternal, bits: spanParentKnown}},
		},
	}
}

func TestPublicationRoundTrip(t *testing.T) {
	p := somePublication()
	got, err := decodePublication(p.encode())
	require.NoError(t, err)
	require.Equal(t, p, got)
}

func TestPublicationCutAnywhereIsAnError(t *testing.T) {
	p := somePublication()
	record := p.encode()
	for n := range record {
		_, err := decodePublication(record[:n])
		require.ErrorIs(t, err, errShortRecord, "first %d of %d bytes", n, len(record))
	}
	_, err := decodePublication(append(record, 0))
	require.ErrorContains(t, err, "1 bytes too many")
	_, err = decodePublication([]byte{1})
	require.ErrorContains(t, err, "version 1")
}

// FuzzPublication checks that any record is read or refused, and that what is
// read is written back with the same meaning.
func FuzzPublication(f *testing.F) {
	p := somePublication()
	f.Add(p.encode())
	f.Add([]byte{publicationVersion, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, record []byte) {
		p, err := decodePublication(record)
		if err != nil {
			return
		}
		again, err := decodePublication(p.encode())
		require.NoError(t, err)
		require.Equal(t, p, again)
	})
}

// FuzzRebuild starts a linker from any two records and expects it to work.
func FuzzRebuild(f *testing.F) {
	p := somePublication()
	data, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(traces(server(1, 0x10, 0x10), server(2, 0x10, 0x20)))
	require.NoError(f, err)
	f.Add(p.encode(), data)
	f.Add([]byte{1}, []byte{10})
	f.Fuzz(func(t *testing.T, record, data []byte) {
		cfg := createDefaultConfig().(*Config)
		cfg.DBPath = t.TempDir()
		tel, err := newTelemetry(componenttest.NewNopTelemetrySettings())
		require.NoError(t, err)
		store, err := openStore(cfg, zap.NewNop(), tel)
		require.NoError(t, err)
		require.NoError(t, store.published.Put(batchKey{Arrival: 1, Seq: 1}, record))
		require.NoError(t, store.waiting.Put(batchKey{Arrival: 2, Seq: 2}, data))
		require.NoError(t, store.putBatch(batchKey{Arrival: 3, Seq: 3}, data))
		require.NoError(t, store.close())

		l, err := newLinker(cfg, zap.NewNop(), tel, consumertest.NewNop(), time.Now)
		require.NoError(t, err)
		l.cycle(t.Context())
		require.True(t, l.stop())
		require.NoError(t, l.close(t.Context()))
	})
}
