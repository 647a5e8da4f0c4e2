package propagation

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func marksOf(fields map[string]string) []uint64 {
	f := make(values)
	for name, value := range fields {
		f[name] = []string{value}
	}
	return Marks(Extract(f), f)
}

// values are fields by their names in lower case.
type values map[string][]string

func (v values) Values(name string) []string { return v[name] }

const (
	traceParent     = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	traceParentNext = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"
)

func TestMarks(t *testing.T) {
	received := marksOf(map[string]string{"traceparent": traceParent, "x-request-id": "5d2f5b52-5E5e"})
	assert.Len(t, received, 3, "a span, a request and a trace")
	for name, c := range map[string]struct {
		sent   map[string]string
		common []uint64
	}{
		"passed on":                 {map[string]string{"traceparent": traceParent, "x-request-id": "5D2F5B52-5e5e"}, received},
		"a span of its own":         {map[string]string{"traceparent": traceParentNext}, received[2:]},
		"in another format":         {map[string]string{"x-b3-traceid": "0af7651916cd43dd8448eb211c80319c", "x-b3-spanid": "b7ad6b7169203331"}, []uint64{received[0], received[2]}},
		"under another name":        {map[string]string{"x-correlation-id": " 5d2f5b52-5e5e"}, received[1:2]},
		"nothing":                   {nil, nil},
		"too short":                 {map[string]string{"x-request-id": "17"}, nil},
		"another request's":         {map[string]string{"x-request-id": "77777777-5e5e"}, nil},
		"a context that is invalid": {map[string]string{"traceparent": "00-" + traceParent}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var common []uint64
			for _, mark := range received {
				for _, other := range marksOf(c.sent) {
					if mark == other {
						common = append(common, mark)
					}
				}
			}
			assert.Equal(t, c.common, common)
		})
	}
}

// The same id in several formats is one.
func TestMarksAreDistinct(t *testing.T) {
	marks := marksOf(map[string]string{
		"traceparent": traceParent, "b3": "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
		"x-request-id": "77777777", "request-id": "77777777",
	})
	assert.Len(t, marks, 3)
}

func TestFieldsOfMarksAreRelevant(t *testing.T) {
	for _, name := range []string{"X-Request-Id", "x-correlation-id", "Request-Id", "traceparent"} {
		assert.True(t, Relevant([]byte(name)), name)
	}
	assert.False(t, Relevant([]byte("x-request-ix")))
}
