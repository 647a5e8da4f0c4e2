package conn

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// sockets are those of the connections in r, the oldest first; both directions of
// the list must agree.
func (r *recency) sockets(t *testing.T) (sockets []uint64) {
	t.Helper()
	var backwards []uint64
	for c := r.latest; c != nil; c = c.use.earlier {
		backwards = append([]uint64{c.Socket}, backwards...)
	}
	for c := r.oldest; c != nil; c = c.use.later {
		sockets = append(sockets, c.Socket)
	}
	require.Equal(t, backwards, sockets)
	return sockets
}

func TestRecency(t *testing.T) {
	var r recency
	require.Empty(t, r.sockets(t))
	a, b, c := &Conn{Socket: 1}, &Conn{Socket: 2}, &Conn{Socket: 3}
	r.add(a)
	require.Equal(t, []uint64{1}, r.sockets(t))
	r.add(b)
	r.add(c)
	require.Equal(t, []uint64{1, 2, 3}, r.sockets(t))
	r.touch(c)
	require.Equal(t, []uint64{1, 2, 3}, r.sockets(t), "the latest stays")
	r.touch(b)
	require.Equal(t, []uint64{1, 3, 2}, r.sockets(t), "from the middle")
	r.touch(a)
	require.Equal(t, []uint64{3, 2, 1}, r.sockets(t), "from the end")
	r.remove(b)
	require.Equal(t, []uint64{3, 1}, r.sockets(t))
	r.remove(a)
	r.remove(c)
	require.Empty(t, r.sockets(t))
	r.add(b)
	require.Equal(t, []uint64{2}, r.sockets(t), "an empty list is filled again")
}
