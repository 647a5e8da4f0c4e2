package causality

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

func TestRoute(t *testing.T) {
	for path, want := range map[string]string{
		"":                                     "/",
		"/":                                    "/",
		"/users":                               "/users",
		"/users/42":                            "/users/*",
		"/users/42/orders/7f3a":                "/users/*/orders/*",
		"/api/v2/items":                        "/api/v2/items",
		"/a/b/c/d/e/f/g":                       "/a/b/c/d/e",
		"/files/%41%42":                        "/files/*",
		"/k/abcdefghijklmnopqrstuvwxyzabcdefg": "/k/*",
	} {
		assert.Equal(t, want, route(path), path)
	}
}

// path is details with a path.
type path string

func (path) AddAttributes(*protocol.Attributes) {}
func (p path) Path() string                     { return string(p) }

func TestNamesOfOperations(t *testing.T) {
	o := newOperations()
	operation, callee := o.operation, o.callee
	assert.Equal(t, "GET", operation(&protocol.Exchange{Name: "GET"}))
	get := &protocol.Exchange{Name: "GET", Details: path("/users/1")}
	assert.Equal(t, "GET /users/*", operation(get))
	assert.Equal(t, "GET /users/*", callee(get))
	get.Conn = &conn.Conn{Remote: netip.MustParseAddrPort("127.0.0.1:80")}
	assert.Equal(t, "127.0.0.1:80 GET /users/*", callee(get))
	assert.Equal(t, "127.0.0.1:80 GET /users/*", callee(get), "kept")
	put := &protocol.Exchange{Name: "PUT", Details: path("/users/1"), Conn: get.Conn}
	assert.Equal(t, "127.0.0.1:80 PUT /users/*", callee(put))
	assert.Equal(t, "GET /", operation(&protocol.Exchange{Name: "GET", Details: path("")}))
	get.Conn = &conn.Conn{Unix: true, RemotePath: "/run/db"}
	assert.Equal(t, "/run/db GET /users/*", callee(get))
}
