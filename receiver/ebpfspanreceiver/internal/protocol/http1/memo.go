package http1

import "github.com/cespare/xxhash/v2"

const (
	memoSlots = 1024
	// memoKey is the longest key that is kept, in bytes.
	memoKey = 256
)

// memo keeps what was made of recent strings, so that what most requests repeat
// is made once. Each string has one place, so old ones need not be looked for.
type memo[V any] struct {
	make  func(key string) V
	slots [memoSlots]struct {
		key   string
		value V
	}
}

func newMemo[V any](make func(key string) V) *memo[V] {
	return &memo[V]{make: make}
}

// of returns what is made of key. The empty string makes nothing.
func (m *memo[V]) of(key []byte) (v V) {
	if len(key) == 0 {
		return v
	}
	if len(key) > memoKey {
		return m.make(string(key))
	}
	slot := &m.slots[xxhash.Sum64(key)%memoSlots]
	if slot.key != string(key) {
		slot.key = string(key)
		slot.value = m.make(slot.key)
	}
	return slot.value
}
