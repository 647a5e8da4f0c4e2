package http1

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Go writes Traceparent, other clients traceparent, and field names have no case:
// RFC 9110, section 5.1.
func TestContextsInAnyCase(t *testing.T) {
	values := map[string]string{
		"traceparent":         "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"x-datadog-trace-id":  "17",
		"x-datadog-parent-id": "18",
		"x-b3-traceid":        "0af7651916cd43dd8448eb211c80319c",
		"x-b3-spanid":         "b7ad6b7169203331",
		"uber-trace-id":       "a:b:0:1",
		"sw8": "1-ZGU1OTgwYjgtZmNlMy00YTM3LWFhYjktYjRhYzNhZjdlZWRk-" +
			"NGYyZjI3NzQ4YjhlNDRlY2FmMThmZTAzNDcxOTRlODYuMzMuMTY1NjA2MDczNjk5NTAwNjY=-0-YQ==-YQ==-YQ==-YQ==",
		"x-amzn-trace-id": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8",
	}
	for spelling, spell := range map[string]func(string) string{
		"lower": strings.ToLower, "upper": strings.ToUpper, "Go": http.CanonicalHeaderKey,
	} {
		head := "GET / HTTP/1.1\r\nHost: a\r\n"
		for name, value := range values {
			head += spell(name) + ": " + value + "\r\n"
		}
		f := newFixture(t, everything)
		f.received(head + "\r\n")
		f.sent(ok)
		var names []string
		for _, c := range f.ended().Contexts {
			names = append(names, c.Propagator)
		}
		require.Equal(t, []string{"w3c", "datadog", "b3", "jaeger", "skywalking", "xray"}, names, spelling)
		assert.Empty(t, f.lost())
	}
}

// An id that is no trace context makes no context, but a mark that both sides of a proxy have.
func TestMarksOfRequests(t *testing.T) {
	f := newFixture(t, everything)
	f.received("GET / HTTP/1.1\r\nHost: a\r\nX-REQUEST-ID: 5d2f5b52e1\r\n\r\n")
	f.sent(ok)
	received := f.ended()
	f = newFixture(t, everything)
	f.sent("GET /other HTTP/1.1\r\nhost: b\r\nx-request-id:5d2f5b52e1 \r\n\r\n")
	f.received(ok)
	sent := f.ended()
	assert.Len(t, received.Marks, 1)
	assert.Equal(t, received.Marks, sent.Marks)
	assert.Empty(t, received.Contexts)
}
