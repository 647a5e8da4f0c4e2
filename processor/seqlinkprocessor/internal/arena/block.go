package arena

import (
	"fmt"
	"reflect"
	"unsafe"
)

// Block is a zeroed array of fixed length outside of the Go heap.
type Block[T any] struct {
	// Values is valid until Release.
	Values []T
	memory []byte
}

// NewBlock returns a block of n values of a type without pointers.
func NewBlock[T any](n int) Block[T] {
	t := reflect.TypeFor[T]()
	if hasPointers(t) {
		panic(fmt.Sprintf("arena: %v has pointers", t))
	}
	if n == 0 {
		return Block[T]{}
	}
	memory := allocate(n * int(t.Size()))
	return Block[T]{Values: unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(memory))), n), memory: memory}
}

// Release gives the memory back.
func (b *Block[T]) Release() {
	if b.memory != nil {
		release(b.memory)
	}
	*b = Block[T]{}
}
