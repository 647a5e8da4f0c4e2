// Package arena keeps very many small values outside of the Go heap, where the
// garbage collector neither visits them nor counts them.
package arena

import (
	"errors"
	"fmt"
	"reflect"
	"unsafe"
)

// Handle names a value of an arena; 0 names none.
type Handle uint32

const (
	chunkBits = 16
	chunkLen  = 1 << chunkBits
	// maxChunks leaves the highest bit of a handle to its users.
	maxChunks = 1 << (31 - chunkBits)
)

// ErrFull is the panic of an arena that has given out 2^31 handles.
var ErrFull = errors.New("arena: too many values")

// Arena allocates values of T, which must not contain pointers. Values do not
// move: what At returns is good until the value or the arena is freed. It is not
// safe for concurrent use.
type Arena[T any] struct {
	chunks []chunk[T]
	free   []Handle
	next   Handle
	live   int
}

type chunk[T any] struct {
	values *[chunkLen]T
	memory []byte
}

// New returns an empty arena. It panics when T has pointers: the garbage collector
// would not see them.
func New[T any]() *Arena[T] {
	if t := reflect.TypeFor[T](); hasPointers(t) {
		panic(fmt.Sprintf("arena: %v has pointers", t))
	}
	return &Arena[T]{next: 1}
}

func hasPointers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return hasPointers(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if hasPointers(t.Field(i).Type) {
				return true
			}
		}
		return false
	case reflect.Pointer, reflect.UnsafePointer, reflect.Slice, reflect.String, reflect.Map, reflect.Chan, reflect.Func, reflect.Interface:
		return true
	}
	return false
}

// Alloc returns the handle of a value that is zero.
func (a *Arena[T]) Alloc() (Handle, *T) {
	a.live++
	if n := len(a.free); n > 0 {
		h := a.free[n-1]
		a.free = a.free[:n-1]
		return h, a.At(h)
	}
	h := a.next
	if int(h>>chunkBits) >= len(a.chunks) {
		a.grow()
	}
	a.next++
	return h, a.At(h)
}

func (a *Arena[T]) grow() {
	if len(a.chunks) == maxChunks {
		panic(ErrFull)
	}
	memory := allocate(int(unsafe.Sizeof([chunkLen]T{})))
	a.chunks = append(a.chunks, chunk[T]{values: (*[chunkLen]T)(unsafe.Pointer(unsafe.SliceData(memory))), memory: memory})
}

// At returns the value of a handle that is not 0 and not freed.
func (a *Arena[T]) At(h Handle) *T { return &a.chunks[h>>chunkBits].values[h&(chunkLen-1)] }

// Free gives a value back, which becomes zero.
func (a *Arena[T]) Free(h Handle) {
	var zero T
	*a.At(h) = zero
	a.free = append(a.free, h)
	a.live--
}

// Len returns how many values are in use.
func (a *Arena[T]) Len() int { return a.live }

// Bytes returns the size of the values in use.
func (a *Arena[T]) Bytes() int {
	var zero T
	return a.live * int(unsafe.Sizeof(zero))
}

// Release gives all memory back. The arena must not be used afterwards.
func (a *Arena[T]) Release() {
	for _, c := range a.chunks {
		release(c.memory)
	}
	*a = Arena[T]{}
}
