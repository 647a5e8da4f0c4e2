package http1

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// The fields of a head are read up to the empty line behind them, and no further.
func TestReadFields(t *testing.T) {
	for name, test := range map[string]struct {
		text   string
		end    int
		host   string
		length int64
		marks  int
	}{
		"none":                        {"\r\n", 2, "", -1, 0},
		"without carriage returns":    {"Host: a\nContent-Length:3\n\nabc", 26, "a", 3, 0},
		"a body that looks like more": {"Host: a\r\n\r\nHost: b\r\n", 11, "a", -1, 0},
		"a body that begins blank":    {"Host: a\r\n\r\n Host: b\r\n", 11, "a", -1, 0},
		"in two lines":                {"Host:\r\n a\r\n\r\n", 13, "a", -1, 0},
		"blank before the colon":      {"host : a\r\n\r\n", 12, "a", -1, 0},
		"small letters":               {"content-length: 7\r\ntraceparent: x\r\n\r\n", 37, "", 7, 1},
		"others":                      {"Date: x\r\nzzz\r\nTraceparent: x\r\nX-Request-Id: x\r\n\r\n", 49, "", -1, 2},
		"no end":                      {"Host: a\r\nContent-Length: 3\r\n", -1, "a", 3, 0},
		"a line without end":          {"Host: a\r\nContent-Length: 3", -1, "a", -1, 0},
		"nothing":                     {"", -1, "", -1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var contexts contextFields
			h, end := readFields([]byte(test.text), &contexts)
			assert.Equal(t, test.end, end)
			assert.Equal(t, test.host, string(h.host))
			assert.Equal(t, test.length, h.length)
			assert.Len(t, contexts, test.marks)
			plain, end := readFields([]byte(test.text), nil)
			assert.Equal(t, test.end, end)
			assert.Equal(t, h, plain)
		})
	}
}
