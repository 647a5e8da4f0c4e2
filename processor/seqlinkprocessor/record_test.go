package seqlinkprocessor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.uber.org/zap"
)

func somePublication() publication {
	spans := readSpans(traces(
		server(1, 0x10, 0x99, testContext{7, 8}, testContext{9, 10}).at(1_700_000_000_000_000_000, 1_700_000_000_000_000_100),
		sdk(2, 0x20, 0x10, ptrace.SpanKindInternal, 0x101),
	))
	spans[1].parentKnown = true
	return publication{
		published: time.Unix(1_700_000_000, 5),
		names:     []segmentName{{tid(1), name{tid(3), 300}}, {tid(2), name{tid(3), 300}}},
		spans:     spans,
	}
}

func TestPublicationRoundTrip(t *testing.T) {
	p := somePublication()
	got, err := decodePublication(p.encode())
	require.NoError(t, err)
	require.Equal(t, p, got)
}

func TestPublicationLeavesOutWhatIsNotIndexed(t *testing.T) {
	p := somePublication()
	p.spans = append(p.spans, span{trace: tid(1), id: sid(1), duplicate: true}, span{id: sid(2)})
	got, err := decodePublication(p.encode())
	require.NoError(t, err)
	require.Equal(t, somePublication(), got)
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
	_, err = decodePublication([]byte{2})
	require.ErrorContains(t, err, "version 2")
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
		for i := range p.spans {
			if !p.spans[i].indexable() {
				return // never written
			}
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
		store, err := openWindow(cfg.DBPath, false, zap.NewNop())
		require.NoError(t, err)
		require.NoError(t, store.putPublication(batchKey{1, 1}, record))
		require.NoError(t, store.putBatch(batchKey{2, 2}, data))
		require.NoError(t, store.close())

		tel, err := newTelemetry(componenttest.NewNopTelemetrySettings())
		require.NoError(t, err)
		l, err := newLinker(cfg, zap.NewNop(), tel, consumertest.NewNop(), time.Now)
		require.NoError(t, err)
		l.cycle(t.Context())
		require.True(t, l.stop())
		require.NoError(t, l.close(t.Context()))
	})
}
