package http1

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// What is received on an upgraded connection is told, and nothing else.
func TestMessagesOnUpgradedConnections(t *testing.T) {
	f := newFixture(t, everything)
	f.received("GET /ws HTTP/1.1\r\nUpgrade: websocket\r\n\r\n")
	f.sent("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
	assert.Empty(t, f.sink.messages)
	f.received("\x81\x05hello")
	f.sent("\x81\x05hello")
	f.received("GET / HTTP/1.1\r\n\r\n")
	assert.Len(t, f.sink.messages, 2)
	assert.Equal(t, f.now(), f.sink.messages[1])
}
