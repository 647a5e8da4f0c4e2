package http1

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

func TestClassify(t *testing.T) {
	tests := map[string]protocol.Verdict{
		"":                                 protocol.Maybe,
		"\r\n":                             protocol.Maybe,
		"G":                                protocol.Maybe,
		"GET":                              protocol.Maybe,
		"GET ":                             protocol.Maybe,
		"GET /":                            protocol.Yes,
		"\r\nGET /":                        protocol.Yes,
		"GET / ":                           protocol.Yes,
		"GET / HTTP/1.1":                   protocol.Yes,
		"GET / HTTP/1.1\r":                 protocol.Yes,
		"GET / HTTP/1.1\r\n":               protocol.Yes,
		"GET / HTTP/1.0\n":                 protocol.Yes,
		"GET http:":                        protocol.Maybe,
		"GET http://h":                     protocol.Yes,
		"GET HTTPS://h":                    protocol.Yes,
		"OPTIONS *":                        protocol.Yes,
		"CONNECT h:1":                      protocol.Yes,
		"PROPFIND /":                       protocol.Maybe,
		"PROPFIND / HTTP":                  protocol.Maybe,
		"PROPFIND / HTTP/1.":               protocol.Yes,
		"PROPFIND / HTTP/1.1\r\n":          protocol.Yes,
		"GET / RTSP":                       protocol.No,
		"GET / RTSP/1.0\r\n":               protocol.No,
		"GET /\r\n":                        protocol.No,
		"GET / HTTP/2.0\r\n":               protocol.No,
		"GET / HTTP/1.12\r\n":              protocol.No,
		"GET  / HTTP/1.1\r\n":              protocol.No,
		"GET / x HTTP/1.1\r\n":             protocol.No,
		" GET / HTTP/1.1\r\n":              protocol.No,
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n": protocol.No,
		"GET /\x00":                        protocol.No,
		"\x16\x03\x01\x02":                 protocol.No,
		"*1\r\n$4\r\nPING\r\n":             protocol.No,
		"SSH-2.0-OpenSSH_9.2p1 Debian\r\n": protocol.No,
		"HTTP/1":                           protocol.Maybe,
		"HTTP/1.1 20":                      protocol.Maybe,
		"HTTP/1.1 200":                     protocol.Yes,
		"HTTP/1.0 404 Not":                 protocol.Yes,
		"HTTP/1.1 2x0":                     protocol.No,
		"HTTP/1.1 099":                     protocol.No,
		"HTTP/2.0 200":                     protocol.No,
	}
	h := New(Options{}, nil)
	for text, want := range tests {
		assert.Equal(t, want, h.Classify([]byte(text)), "%q", text)
	}
}
