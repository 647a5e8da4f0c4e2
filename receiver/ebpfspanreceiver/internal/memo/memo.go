// Package memo keeps what was made of recent strings, so that what most requests repeat
// is made once.
package memo

import "github.com/cespare/xxhash/v2"

const (
	slots = 1024
	// longest is the longest key that is kept, in bytes.
	longest = 256
)

// Memo keeps what Make made of strings. Each string has one place, so old ones need not
// be looked for. It is not safe for concurrent use.
type Memo[V any] struct {
	make  func(key string) V
	slots [slots]slot[V]
}

type slot[V any] struct {
	key   string
	value V
}

// New returns a memo of what is made of a key.
func New[V any](make func(key string) V) *Memo[V] { return &Memo[V]{make: make} }

// Of returns what is made of key, which it copies. The empty string makes nothing.
func (m *Memo[V]) Of(key []byte) (v V) {
	if len(key) == 0 {
		return v
	}
	if len(key) > longest {
		return m.make(string(key))
	}
	s := &m.slots[xxhash.Sum64(key)%slots]
	if s.key != string(key) {
		s.key = string(key)
		s.value = m.make(s.key)
	}
	return s.value
}

// OfString is Of for a string.
func (m *Memo[V]) OfString(key string) (v V) {
	if key == "" {
		return v
	}
	if len(key) > longest {
		return m.make(key)
	}
	s := &m.slots[xxhash.Sum64String(key)%slots]
	if s.key != key {
		s.key, s.value = key, m.make(key)
	}
	return s.value
}
