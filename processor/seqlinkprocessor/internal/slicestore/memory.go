package slicestore

import (
	"fmt"
	"slices"
	"sync"
)

// Memory keeps records in memory only.
type Memory struct {
	mu      sync.Mutex
	records map[Key][]byte
	size    int64
}

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{records: map[Key][]byte{}} }

// Put stores a record; it keeps a copy of the value.
func (m *Memory) Put(key Key, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records[key] = slices.Clip(slices.Clone(value))
	m.size += int64(len(value))
	return nil
}

// Get calls f with a record's value.
func (m *Memory) Get(key Key, f func([]byte) error) error {
	m.mu.Lock()
	value, ok := m.records[key]
	m.mu.Unlock()
	if !ok {
		return fmt.Errorf("no record has key %s", key.String())
	}
	return f(value)
}

// Release deletes a record.
func (m *Memory) Release(key Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.size -= int64(len(m.records[key]))
	delete(m.records, key)
}

// Size returns the size of all values in bytes.
func (m *Memory) Size() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.size
}

// Close forgets everything.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records = map[Key][]byte{}
	return nil
}
