package http1

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestParseTarget(t *testing.T) {
	tests := []struct {
		method, target                 string
		cut                            bool
		scheme, authority, path, query string
	}{
		{method: "GET", target: "/", scheme: "http", path: "/"},
		{method: "GET", target: "/a?b=c?d#e", scheme: "http", path: "/a", query: "b=c?d"},
		{method: "GET", target: "//a/b", scheme: "http", path: "//a/b"},
		{method: "OPTIONS", target: "*", scheme: "http", path: "*"},
		{method: "CONNECT", target: "h:443", scheme: "http", authority: "h:443"},
		{method: "GET", target: "http://h", scheme: "http", authority: "h", path: "/"},
		{method: "GET", target: "http://h?q=1", scheme: "http", authority: "h", path: "/", query: "q=1"},
		{method: "GET", target: "HTTPS://u:p@h:1/x?y", scheme: "https", authority: "h:1", path: "/x", query: "y"},
		{method: "GET", target: "http://u:p@ss@h/x", scheme: "http", authority: "h", path: "/x"},
		{method: "GET", target: "/a/pa", cut: true, scheme: "http"},
		{method: "GET", target: "/a/path?que", cut: true, scheme: "http", path: "/a/path"},
		{method: "GET", target: "http://user:pas", cut: true, scheme: "http"},
		{method: "GET", target: "http://h/pa", cut: true, scheme: "http", authority: "h"},
		{method: "CONNECT", target: "h.examp", cut: true, scheme: "http"},
	}
	for _, tt := range tests {
		got := parseTarget(requestLine{method: []byte(tt.method), target: []byte(tt.target), cut: tt.cut})
		assert.Equal(t, tt.scheme, got.scheme, tt.target)
		assert.Equal(t, tt.authority, string(got.authority), tt.target)
		assert.Equal(t, tt.path, string(got.path), tt.target)
		assert.Equal(t, tt.query, string(got.query), tt.target)
	}
}

func TestParseServer(t *testing.T) {
	valid := map[string]server{
		"shop.example":      {"shop.example", 80},
		"shop.example:8080": {"shop.example", 8080},
		"10.0.0.1:1":        {"10.0.0.1", 1},
		"[::1]":             {"::1", 80},
		"[::1]:8080":        {"::1", 8080},
		"h:":                {"h", 80},
	}
	for text, want := range valid {
		got, ok := parseServer(text, "http")
		assert.True(t, ok, text)
		assert.Equal(t, want, got, text)
	}
	got, ok := parseServer("h", "https")
	assert.True(t, ok)
	assert.Equal(t, server{"h", 443}, got)
	for _, text := range []string{"", ":80", "h:0", "h:65536", "h:x", "user:pass@h", "a/b", "a b", "[::1", "[h]", "::1"} {
		_, ok := parseServer(text, "http")
		assert.False(t, ok, text)
	}
}

func TestDecimal(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "007": 7, "922337203685477580": 922337203685477580} {
		n, ok := decimal([]byte(text))
		assert.True(t, ok, text)
		assert.Equal(t, want, n)
	}
	for _, text := range []string{"", "-1", "+1", "1 ", "0x1", "9223372036854775808", "99999999999999999999"} {
		_, ok := decimal([]byte(text))
		assert.False(t, ok, text)
	}
}
