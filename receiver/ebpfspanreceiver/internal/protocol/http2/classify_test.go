package http2

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/protocol"
)

func TestClassify(t *testing.T) {
	h := New(Options{}, nil)
	s := newSide()
	s.call(1, "/a.B/C")
	s.take()
	yes := map[string]string{
		"preface":           preface,
		"preface and more":  preface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00",
		"a call":            s.call(3, "/a.B/C").take(),
		"a message":         s.data(3, true, message("hello")).take(),
		"an answer":         newSide().answer(3, "0").take(),
		"settings":          "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64",
		"window and ping":   "\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x0a\x00\x00\x08\x06\x00\x00\x00\x00\x00\x02\x04\x10\x10\x09\x0e\x07\x07",
		"a cut answer":      newSide().answer(3, "0").data(5, false, strings.Repeat("x", 9000)).take()[:700],
		"data, then fields": s.data(3, false, "abc").headers(3, true, ":status", "200").take(),
	}
	for name, text := range yes {
		assert.Equal(t, protocol.Yes, h.Classify([]byte(text)), name)
		for i := range len(text) {
			require.NotEqual(t, protocol.No, h.Classify([]byte(text[:i])), "%s, the first %d", name, i)
		}
	}
	be := func(n uint32) string { return string(binary.BigEndian.AppendUint32(nil, n)) }
	for name, text := range map[string]string{
		"HTTP/1":                  "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
		"HTTP/1 answer":           "HTTP/1.1 200 OK\r\n\r\n",
		"Redis":                   "*1\r\n$4\r\nPING\r\n",
		"PostgreSQL query":        "Q\x00\x00\x00\x0dselect 1\x00",
		"PostgreSQL startup":      be(16) + "\x00\x03\x00\x00user\x00me\x00\x00",
		"PostgreSQL asks for TLS": be(8) + "\x04\xd2\x16\x2f",
		"PostgreSQL is ready":     "Z\x00\x00\x00\x05I",
		"TLS":                     "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"MySQL":                   "\x21\x00\x00\x00\x03select @@version_comment limit 1",
		"Kafka":                   be(1032) + "\x00\x03\x00\x09\x00\x00\x00\x07\x00\x0dconsumer-1-abc\x00\x00",
		"AMQP":                    "\x01\x00\x01\x00\x00\x00\x0d\x00\x3c\x00\x28",
		"ZooKeeper":               be(45) + be(0) + be(0) + be(0) + be(30000),
	} {
		assert.Equal(t, protocol.No, h.Classify([]byte(text)), name)
	}
}

// Random bytes, and such with many zeros or behind lengths, are taken for no frames.
func TestClassifyRandomBytes(t *testing.T) {
	h := New(Options{}, nil)
	random := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 64)
	for i := range 2_000_000 {
		for j := range b {
			b[j] = byte(random.Uint32())
			if i%3 > 0 && random.IntN(i%3*2) > 0 {
				b[j] = 0
			}
		}
		if i%2 == 0 {
			binary.BigEndian.PutUint32(b, uint32(random.IntN(20000)))
		}
		require.NotEqual(t, protocol.Yes, h.Classify(b), "%x", b)
	}
}
