package http1

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"
)

// target is a request target taken apart: RFC 9112, section 3.2.
type target struct {
	// scheme is "http" or "https".
	scheme string
	// authority is host and port where the target names them.
	authority []byte
	// path is empty for the authority form, and where it was not captured whole.
	path, query []byte
}

// parseTarget reads the target of line.
func parseTarget(line requestLine) target {
	t := target{scheme: "http", path: line.target}
	switch {
	case string(line.method) == "CONNECT":
		t.authority, t.path = line.target, nil
	case hasScheme(line.target, "https://"):
		t.scheme = "https"
		t.absolute(line.target[len("https://"):])
	case hasScheme(line.target, "http://"):
		t.absolute(line.target[len("http://"):])
	}
	t.path, _, _ = bytes.Cut(t.path, []byte("#"))
	var queried bool
	t.path, t.query, queried = bytes.Cut(t.path, []byte("?"))
	if line.cut {
		t.cut(queried)
	}
	return t
}

// absolute takes rest, which follows the scheme of an absolute-form target.
// Credentials before the host are left out.
func (t *target) absolute(rest []byte) {
	end := bytes.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority := rest[:end]
	t.authority = authority[bytes.LastIndexByte(authority, '@')+1:]
	t.path = rest[end:]
	if !bytes.HasPrefix(t.path, []byte("/")) {
		t.path = append([]byte("/"), t.path...)
	}
}

// cut drops the parts of which some may be missing. What comes before a query is
// whole; so is a host before a path.
func (t *target) cut(queried bool) {
	t.query = nil
	if queried {
		return
	}
	if len(t.path) < 2 {
		t.authority = nil
	}
	t.path = nil
}

// server is a server's address in the form of the semantic conventions.
type server struct {
	address string
	port    int64
}

// parseServer reads a Host field or authority. Without a port it is the scheme's.
func parseServer(authority, scheme string) (server, bool) {
	host, port := authority, ""
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		host, port = authority[:i], authority[i+1:]
	}
	number, ok := parsePort(port, scheme)
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
		_, err := netip.ParseAddr(host)
		return server{host, number}, ok && err == nil
	}
	return server{host, number}, ok && isHost(host)
}

func parsePort(port, scheme string) (int64, bool) {
	if port == "" {
		if scheme == "https" {
			return 443, true
		}
		return 80, true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return int64(n), err == nil && n > 0
}

// isHost tells whether s may be a registered name or an IPv4 address. A user's
// name and password are not.
func isHost(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r == 0x7f || r == '\uFFFD' || strings.ContainsRune(`"#/:<>?@[\]^{|}`, r)
	})
}

// ParseAuthority reads a Host field or authority as the semantic conventions have a
// server's address. Without a port it is the scheme's; ok is false for what is none.
func ParseAuthority(authority, scheme string) (address string, port int64, ok bool) {
	s, ok := parseServer(text(authority), scheme)
	if !ok {
		return "", 0, false
	}
	return s.address, s.port, true
}
