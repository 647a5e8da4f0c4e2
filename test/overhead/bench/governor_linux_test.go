package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// written writes batches with one span each as the file exporter does.
func written(t *testing.T, spans ...func(ptrace.Span)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "spans.pb")
	var file []byte
	for _, fill := range spans {
		batch := ptrace.NewTraces()
		fill(batch.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty())
		message, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(batch)
		require.NoError(t, err)
		file = append(binary.BigEndian.AppendUint32(file, uint32(len(message))), message...)
	}
	require.NoError(t, os.WriteFile(path, file, 0o600))
	return path
}

func end(kind ptrace.SpanKind, id byte, port int64) func(ptrace.Span) {
	return func(s ptrace.Span) {
		s.SetKind(kind)
		s.Attributes().PutInt("server.port", port)
		if kind == ptrace.SpanKindServer {
			s.SetParentSpanID(pcommon.SpanID{id})
			id += 100
		}
		s.SetSpanID(pcommon.SpanID{id})
	}
}

func TestPairs(t *testing.T) {
	const client, server = ptrace.SpanKindClient, ptrace.SpanKindServer
	path := written(t, end(client, 1, 80), end(server, 1, 80), end(client, 2, 80), end(server, 3, 80), end(client, 4, 8888))
	requests, halves, err := pairs(path, "127.0.0.1:80")
	require.NoError(t, err)
	assert.Equal(t, 3, requests)
	assert.Equal(t, 2, halves)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, whole[:len(whole)-3], 0o600))
	_, _, err = pairs(path, "127.0.0.1:80")
	require.ErrorContains(t, err, "is cut")
}

func TestGovernorFiguresAreOfTheSecondHalf(t *testing.T) {
	var uses []use
	at := time.Unix(0, 0)
	u := use{}
	for i := range 61 {
		u.at = at.Add(time.Duration(i) * time.Second)
		uses = append(uses, u)
		if i < 30 {
			u.agent += 1
		} else {
			u.agent += 0.08
			u.programs += 0.02
		}
	}
	f := governorFigures{Budget: 0.1}
	f.conclude(uses)
	assert.InDelta(t, 0.1, f.Cores, 1e-6)
	assert.InDelta(t, 0.02, f.Programs, 1e-6)
	assert.InDelta(t, 1, f.OfBudget, 1e-6)
	assert.InDelta(t, 1, f.Worst, 1e-6)
}
