package causality

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seqlink/seqlink/receiver/ebpfspanreceiver/internal/conn"
)

// A lock is told by this: who was woken by it wakes others by it.
func TestLocksAreToldFromHandOffs(t *testing.T) {
	const n = 40
	wakes := map[string]func(i uint32) (waker, woken uint32){
		"lock":        func(i uint32) (uint32, uint32) { return i % 8, (i + 1) % 8 },
		"lock of two": func(i uint32) (uint32, uint32) { return i % 2, (i + 1) % 2 },
		"queue, worker after worker": func(i uint32) (uint32, uint32) {
			if i%2 == 0 {
				return 100 + i, i % 8 // who puts a job into it
			}
			return (i - 1) % 8, (i + 3) % 8
		},
		"lock of short-lived threads": func(i uint32) (uint32, uint32) { return 1000 + i, 1001 + i },
		"one waits":                   func(i uint32) (uint32, uint32) { return 10 + i%8, 1 },
		"one waits after the other":   func(i uint32) (uint32, uint32) { return 10 + i%8, 20 + i%4 },
		"one wakes":                   func(i uint32) (uint32, uint32) { return 1, 10 + i },
	}
	for name, want := range map[string]bool{
		"lock": true, "lock of two": true, "queue, worker after worker": true, "lock of short-lived threads": true,
		"one waits": false, "one waits after the other": false, "one wakes": false,
	} {
		t.Run(name, func(t *testing.T) {
			var l locks
			var last bool
			for i := range uint32(n) {
				waker, woken := wakes[name](i)
				last = l.woke(conn.Wake{Waker: conn.Origin{Task: onThread(waker)}, Woken: onThread(woken), Futex: 8}, false).isLock()
			}
			assert.Equal(t, want, last)
		})
	}
	t.Run("no futex", func(t *testing.T) {
		var l locks
		for i := range uint32(n) {
			assert.Nil(t, l.woke(conn.Wake{Waker: conn.Origin{Task: onThread(i % 8)}, Woken: onThread((i + 1) % 8)}, false))
		}
	})
}

func TestFutexesAreForgotten(t *testing.T) {
	var l locks
	for address := range uint64(3 * maxFutexes) {
		l.woke(conn.Wake{Waker: conn.Origin{Task: onThread(1)}, Woken: onThread(2), Futex: address + 1}, false)
		l.woke(conn.Wake{Waker: conn.Origin{Task: onThread(1)}, Woken: onThread(2), Futex: 1}, false)
	}
	assert.LessOrEqual(t, len(l.seen)+len(l.older), 2*maxFutexes)
	f := l.futex(1)
	assert.Positive(t, f.wakes, "what is used is kept")
	assert.LessOrEqual(t, f.wakes, maxWakes)
}
