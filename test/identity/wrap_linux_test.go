package identity

import "testing"

// Sequence numbers pass 2^32 in the middle of things.
func TestSequenceNumbersWrap(t *testing.T) {
	needRoot(t)
	t.Parallel()
	scenario(t, newNamespace(t), "wrapping", 1000)
}

// Places go beyond what sequence numbers can tell apart: requests that are exactly 4 GiB
// apart are different requests. The long form sends as many bytes in the answers' direction.
func TestPlacesBeyond4GiB(t *testing.T) {
	const gibibyte = 1 << 30
	body := gibibyte - len(requestHead(1000, gibibyte-100, 10))
	exchange{
		server: overLoopback, client: clientOptions{Connections: 1, Workers: 1},
		batch: batch{First: 1000, Requests: 6, Body: body, Response: 10},
	}.run(t)
	if !long() {
		return
	}
	exchange{
		server: overLoopback, client: clientOptions{Connections: 1, Workers: 1},
		batch: batch{First: 1000, Requests: 6, Body: 10, Response: gibibyte},
	}.run(t)
}
