package run

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

func TestParseJaegerTrace(t *testing.T) {
	spans, err := parseJaegerTrace([]byte(`{"data": [{
		"traceID": "000000000000000000000000000000aa",
		"spans": [{
			"traceID": "000000000000000000000000000000aa", "spanID": "00000000000000bb", "processID": "p1",
			"references": [
				{"refType": "FOLLOWS_FROM", "traceID": "000000000000000000000000000000ff", "spanID": "00000000000000ff"},
				{"refType": "CHILD_OF", "traceID": "000000000000000000000000000000aa", "spanID": "00000000000000cc"}
			],
			"tags": [
				{"key": "span.kind", "type": "string", "value": "client"},
				{"key": "url.path", "type": "string", "value": "/orders/1042"},
				{"key": "http.response.status_code", "type": "int64", "value": 200},
				{"key": "seqlink.link.method", "type": "string", "value": "thread"}
			]
		}],
		"processes": {"p1": {"serviceName": "orders"}}
	}]}`))
	require.NoError(t, err)
	assert.Equal(t, []Span{{
		Trace: pcommon.TraceID{15: 0xaa}, ID: pcommon.SpanID{7: 0xbb}, Parent: pcommon.SpanID{7: 0xcc},
		Service: "orders", Kind: ptrace.SpanKindClient, Request: "1042", Method: "thread",
	}}, spans)

	_, err = parseJaegerTrace([]byte("<html>"))
	require.ErrorContains(t, err, "read Jaeger's answer")
}
